//! Settings by which clients close their idle connections, and servers those on which nobody logs in.

use chrono::TimeDelta;

use crate::attach::{ErrorCode, Facts};

/// Protocols, the beginnings of names that clients give themselves, and their settings.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("http", "Go-http-client", "Go's http.Transport.IdleConnTimeout"),
    ("http", "python-httpx", "httpx.Limits(keepalive_expiry)"),
    ("http", "axios", "agentkeepalive's freeSocketTimeout"),
    ("http", "node-fetch", "agentkeepalive's freeSocketTimeout"),
    ("http", "undici", "undici's keepAliveTimeout"),
    ("http", "node", "undici's keepAliveTimeout"),
    ("http", "Apache-HttpClient", "Apache HttpClient's evictIdleConnections"),
    ("http", "Java-http-client", "jdk.httpclient.keepalive.timeout"),
    ("http", "okhttp", "OkHttp's ConnectionPool(keepAliveDuration)"),
    ("http", "ReactorNetty", "Reactor Netty's ConnectionProvider.maxIdleTime"),
    ("http", "Envoy", "Envoy's idle_timeout"),
    ("http", "envoy", "Envoy's idle_timeout"),
    ("http", "nginx", "nginx's keepalive_timeout in upstream"),
    ("http", "HAProxy", "HAProxy's timeout server"),
    ("http", "grpc-java", "gRPC's idleTimeout of the channel"),
    ("http", "grpc-go", "gRPC's WithIdleTimeout"),
    ("mysql", "Go-MySQL-Driver", "Go's SetConnMaxIdleTime"),
    ("mysql", "MySQL Connector/J", "HikariCP's maxLifetime and idleTimeout"),
    ("mysql", "MariaDB Connector/J", "HikariCP's maxLifetime and idleTimeout"),
    ("mysql", "mysql-connector-python", "MySQL Connector/Python's pool_recycle"),
    ("mysql", "pymysql", "SQLAlchemy's pool_recycle"),
    ("mysql", "Node-MySQL-2", "mysql2's idleTimeout of the pool"),
    ("mysql", "mysql-connector-net", "Connector/NET's ConnectionLifeTime"),
    ("mysql", "MySqlConnector", "MySqlConnector's ConnectionIdleTimeout"),
    ("postgresql", "PostgreSQL JDBC Driver", "HikariCP's maxLifetime and idleTimeout"),
    ("redis", "go-redis", "go-redis's ConnMaxIdleTime"),
    ("redis", "jedis", "Jedis's minEvictableIdleDuration"),
    ("kafka", "apache-kafka-java", "Kafka's connections.max.idle.ms of the client"),
    ("kafka", "librdkafka", "librdkafka's connections.max.idle.ms"),
];

/// Returns the setting of a client by the name that it, or the library that speaks for it, gives itself.
pub fn setting(said: &Facts) -> Option<&'static str> {
    let mut names = [&said.driver, &said.application].into_iter().flatten();
    names.find_map(|name| {
        let of = |(key, client, _): &&(&str, &str, &str)| {
            *key == said.protocol.key && name.starts_with(client)
        };
        SETTINGS.iter().find(of).map(|(_, _, setting)| *setting)
    })
}

/// Returns the setting by which a server closes a connection on which nobody logs in, and its default.
pub fn login_timeout(said: &Facts) -> Option<(&'static str, TimeDelta)> {
    (said.protocol.key == "mysql").then_some(("connect_timeout", TimeDelta::seconds(10)))
}

/// Returns the setting by which a server's last error has ended the transaction or not.
pub fn decides(said: &Facts) -> Option<&'static str> {
    let is_lock_timeout =
        said.server_error.as_ref().is_some_and(|error| error.code == ErrorCode::Number(1205));
    (said.protocol.key == "mysql" && is_lock_timeout).then_some("innodb_rollback_on_timeout")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::Identity;

    #[test]
    fn a_client_that_is_not_known_has_none() {
        let of = |key, driver: Option<&str>, application: Option<&str>| {
            let facts = Facts::of(Identity {
                key,
                title: "X",
                transactions: false,
                logs_in: false,
                tags: false,
            });
            let [driver, application] = [driver, application].map(|name| name.map(Into::into));
            setting(&Facts { driver, application, ..facts })
        };
        let go = Some("Go-http-client/1.1");
        assert!(of("http", None, go).is_some_and(|it| it.contains("IdleConnTimeout")));
        let mysql = of("mysql", Some("Go-MySQL-Driver"), Some("shop"));
        assert_eq!(mysql, Some("Go's SetConnMaxIdleTime"));
        assert_eq!(of("http", None, Some("curl/8.0")), None);
        assert_eq!(of("redis", None, go), None);
        assert_eq!(of("mysql", None, None), None);
    }
}
