//! Settings by which clients close their idle connections.

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
    ("mysql", "Go-MySQL-Driver", "Go's SetConnMaxIdleTime"),
    ("mysql", "MySQL Connector/J", "HikariCP's maxLifetime and idleTimeout"),
    ("mysql", "MariaDB Connector/J", "HikariCP's maxLifetime and idleTimeout"),
    ("postgresql", "PostgreSQL JDBC Driver", "HikariCP's maxLifetime and idleTimeout"),
    ("redis", "go-redis", "go-redis's ConnMaxIdleTime"),
    ("redis", "jedis", "Jedis's minEvictableIdleDuration"),
];

/// Returns the setting of a client by the name that it gives itself.
pub fn setting(protocol: &str, client: &str) -> Option<&'static str> {
    let of = |(key, name, _): &&(&str, &str, &str)| *key == protocol && client.starts_with(name);
    SETTINGS.iter().find(of).map(|(_, _, setting)| *setting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_is_not_known_has_none() {
        assert!(
            setting("http", "Go-http-client/1.1").is_some_and(|it| it.contains("IdleConnTimeout"))
        );
        assert_eq!(setting("http", "curl/8.0"), None);
        assert_eq!(setting("redis", "Go-http-client/1.1"), None);
    }
}
