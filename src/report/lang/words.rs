//! The words of a judgement in Chinese: what each is called, and what it means.
//!
//! The English of each stands where the word is declared. Every match names all words: whoever adds one
//! is asked for its Chinese by the compiler.

use super::Lang;
use crate::summary::cause::Cause;
use crate::verdict::local::LocalBy;
use crate::verdict::{Doubt, Note, Reason, Verdict};

/// A word that has a name in each language.
pub(in crate::report) trait Named: Copy {
    /// The name that the manual, JSON and `explain` have.
    fn key(self) -> &'static str;

    /// Its Chinese name, what it means and what to do.
    fn chinese(self) -> [&'static str; 2];
}

impl Lang {
    /// A word as a report has it: `leak`, `泄漏`. `explain` knows both.
    pub(in crate::report) fn name(self, word: impl Named) -> &'static str {
        match self {
            Lang::English => word.key(),
            Lang::Chinese => word.chinese()[0],
        }
    }

    /// A doubt in a sentence.
    pub(in crate::report) fn doubt_sentence(self, doubt: Doubt) -> &'static str {
        match (self, doubt) {
            (Lang::English, doubt) => doubt.sentence(),
            (_, Doubt::Brief) => "持有不到 1 s，或不知多久：抓包可能正好停在关闭的过程中",
            (_, Doubt::FinBeforeCapture) => {
                "连接始于抓包之前，抓包中本端什么也没发：它的 FIN 也可能在那之前"
            }
            (_, Doubt::LostBeforeFin) => "对端确认过没有抓到的数据包",
            (_, Doubt::FinImplied) => "它的 FIN 没有抓到，但已被确认",
            (_, Doubt::Unconfirmed) => "没有抓到对 FIN 的确认；FIN 也没有重发",
            (_, Doubt::Dropped) => "抓包丢失了数据包",
            (_, Doubt::RemoteTap) => "不是在持有连接的主机上抓的：它的 FIN 可能丢在路上",
            (_, Doubt::Truncated) => "抓包文件不完整，或有数据包无法读取",
            (_, Doubt::Unacked) => {
                "它最后发送的数据没有得到确认，或对端不再接收：它的 FIN 可能排在这些数据之后"
            }
            (_, Doubt::Holes) => "抓包里缺少数据包，其他连接可以看出：它的 FIN 可能就是其中之一",
            (_, Doubt::Gap) => "这段时间里有一部分没有抓包",
            (_, Doubt::PeerFinMissed) => "没有抓到对端的 FIN，但它已被确认",
            (_, Doubt::Unanswered) => "对端在请求未得到应答时关闭：程序可能还在处理应答",
            (_, Doubt::ListedOpen) => "套接字列表中它是打开的：列表可能早于对端的 FIN",
            (_, Doubt::ListedUnsure) => "只有套接字列表这样说，而它没有状态列，或以名字代替地址",
            (_, Doubt::ListedClosed) => "套接字列表中它已被程序关闭，或列表更晚而其中已没有它",
            (_, Doubt::EndedElsewhere) => "另一抓包点或改写后的地址上的 FIN 或 RST 可能已结束它",
            (_, Doubt::RstIgnored) => "它发出了对端会忽略的 RST：主机上可能已没有这个套接字",
        }
    }

    /// The reason of an unknown in a sentence.
    pub(in crate::report) fn reason_sentence(self, reason: Reason) -> &'static str {
        match (self, reason) {
            (Lang::English, reason) => reason.sentence(),
            (_, Reason::Itself) => "连接到自己的连接",
            (_, Reason::OneSided) => "没有抓到另一侧的任何数据包",
            (_, Reason::Lost) => "可能含有另一侧 FIN 的数据包没有抓到",
            (_, Reason::Filtered) => "只抓了带载荷的数据包",
            (_, Reason::Reused) => "同样的地址和端口后来又建立了连接：它早已结束",
            (_, Reason::Disordered) => "同样的地址和端口还有另一条连接，而时间与数据包的顺序相矛盾",
            (_, Reason::Ambiguous) => "它的两端可能是另一条连接的，只是名字不同",
        }
    }

    /// The ground on which a side is local.
    pub(in crate::report) fn local_by(self, by: LocalBy) -> &'static str {
        match (self, by) {
            (Lang::English, by) => by.phrase(),
            (_, LocalBy::Option) => "--local",
            (_, LocalBy::InterfaceAddress) => "接口地址",
            (_, LocalBy::PacketType) => "数据包类型",
            (_, LocalBy::PacketFlags) => "数据包方向",
        }
    }

    /// Says what would have told a cause (`summary::cause::not_seen`); if it is not known here, in English.
    pub(in crate::report) fn not_seen(self, why: &'static str) -> &'static str {
        look_up(self, NOT_SEEN, why)
    }

    /// Names a product whose default a timeout is (`summary::groups`); if it is not known here, in English.
    pub(in crate::report) fn product(self, name: &'static str) -> &'static str {
        look_up(self, PRODUCTS, name)
    }
}

fn look_up(
    lang: Lang,
    table: &[(&'static str, &'static str)],
    english: &'static str,
) -> &'static str {
    let known = table.iter().find(|(key, _)| lang == Lang::Chinese && *key == english);
    known.map_or(english, |(_, chinese)| chinese)
}

const NOT_SEEN: &[(&str, &str)] = &[
    ("a proxy, it seems, that waits for another", "看来是代理在等待另一条连接"),
    ("encrypted", "已加密"),
    ("compressed", "已压缩"),
    ("another protocol since", "此后改用另一协议"),
    ("began before the capture", "始于抓包之前"),
    ("its last data was not acknowledged", "最后的数据未被确认"),
    ("closed upon an error", "报错后随即关闭"),
    ("not captured whole", "没有抓全"),
    ("a text has no contents", "文本不含内容"),
    ("--no-content was given", "指定了 --no-content"),
    ("not told by the server", "服务器没有说明"),
    ("transaction not seen", "没有看到事务"),
    ("it sent nothing", "它什么也没发"),
    ("no answer captured", "没有抓到应答"),
    ("its host takes nothing more", "其主机不再接收任何数据"),
    ("the capture ended right after the FIN", "抓包在 FIN 之后随即结束"),
];

const PRODUCTS: &[(&str, &str)] = &[
    ("the 50 s of HAProxy's examples", "HAProxy 示例中的 50 s"),
    ("the 60 s of AWS ALB and nginx", "AWS ALB 与 nginx 的 60 s"),
    ("the 75 s of nginx towards clients", "nginx 对客户端的 75 s"),
    ("the 2 min of IIS", "IIS 的 2 分钟"),
    ("the 4 min of Azure's load balancer", "Azure 负载均衡的 4 min"),
    ("the 5 min of many firewalls", "许多防火墙的 5 min"),
    ("the 350 s of AWS NLB", "AWS NLB 的 350 s"),
    (
        "the 10 min of nginx's stream proxy and Google Cloud",
        "nginx stream 代理与 Google Cloud 的 10 min",
    ),
    ("the 1 h of Envoy and many firewalls", "Envoy 与许多防火墙的 1 h"),
    ("MySQL's default wait_timeout of 8 h", "MySQL 默认的 wait_timeout 8 h"),
];

impl Named for Verdict {
    fn key(self) -> &'static str {
        self.name()
    }

    fn chinese(self) -> [&'static str; 2] {
        match self {
            Verdict::Leak => [
                "泄漏",
                "对端关闭了它那一侧（FIN），本端内核已经确认，而程序始终没有关闭自己这一侧：套接字停在 CLOSE-WAIT，没有任何内核定时器会结束它。请找到本该关闭连接的代码：closewait explain FILE --frame N 显示连接上说过什么，closewait sockets 和 --sockets 指出进程。",
            ],
            Verdict::Pending => [
                "待定",
                "处于 CLOSE-WAIT 的时间短于 --min-hold：程序可能正要关闭。请抓得更久，或调低 --min-hold。",
            ],
            Verdict::HalfClosed => [
                "半关闭",
                "对端关闭了它那一侧，本端仍在发送，这是 TCP 允许的（RFC 9293，3.6.1）。无需处理；若静默超过 --half-close-quiet，则算泄漏。",
            ],
            Verdict::FinUnacked => [
                "FIN 无人确认",
                "一侧一再发送 FIN，却无人确认：对方主机或路径已经不在。请检查网络，而不是程序。",
            ],
            Verdict::PeerHolds => [
                "对端持有",
                "本端先关闭，停在 FIN-WAIT-2：对端没有关闭。如果这是泄漏，问题在对方主机：用 --local 对端地址 判断那一侧。",
            ],
            Verdict::Unknown(_) => [
                "无法判断",
                "一侧发送了 FIN，而抓包不足以说明另一侧是否也发送了：旁边的原因会说明为什么。请在本端主机上完整地抓包（不按标志位过滤，不丢包）。",
            ],
            Verdict::Closed => ["已关闭", "双方都发送了 FIN。若拖延很久，报告会在“此外”一行说明。"],
            Verdict::Reset => [
                "被重置",
                "双方都发送 FIN 之前，连接被 RST 结束。注记会说明更多：used-after-fin、dropped-idle、refused。",
            ],
            Verdict::Attempt => {
                ["未连上", "只看到一侧的 SYN，从无应答：端口被过滤、主机已停机，或者是扫描。"]
            }
            Verdict::Open => ["仍打开", "抓包结束时双方都没有关闭。"],
        }
    }
}

impl Named for Reason {
    fn key(self) -> &'static str {
        self.name()
    }

    fn chinese(self) -> [&'static str; 2] {
        match self {
            Reason::Itself => {
                ["自连接", "两端的地址和端口相同，分不清哪个数据包是谁的。无需处理。"]
            }
            Reason::OneSided => [
                "只有一侧",
                "应当关闭的一侧没有任何数据包被抓到：镜像端口只有一个方向，或路由不对称。请在主机上抓包，或抓两个方向。",
            ],
            Reason::Lost => [
                "有丢失",
                "先关闭的一侧确认过没有抓到的数据，缺失的部分可能含有另一侧的 FIN。请加大缓冲区（-B），或收窄过滤表达式。",
            ],
            Reason::Filtered => [
                "过滤所致",
                "抓包中只有带载荷的数据包，而 FIN 及其确认通常没有载荷。请不要用这样的过滤表达式。",
            ],
            Reason::Reused => [
                "地址重用",
                "同样的地址和端口后来又建立了连接，所以这条连接已经结束，只是没有看到它的结尾。无需处理。",
            ],
            Reason::Disordered => [
                "顺序矛盾",
                "同样的地址和端口还有另一条连接，它的数据包后读到，时间却更早：时钟被拨回过，或者抓包文件拼接的顺序不对，所以不知道哪条在先。请把各个抓包文件分别给出，或排序：reordercap IN OUT。",
            ],
            Reason::Ambiguous => [
                "有歧义",
                "文本中用名字代替地址，另一条连接可能用着同样的名字，分不清哪个数据包是谁的。请打印地址：tcpdump -n。",
            ],
        }
    }
}

impl Named for Doubt {
    fn key(self) -> &'static str {
        self.name()
    }

    fn chinese(self) -> [&'static str; 2] {
        match self {
            Doubt::Brief => [
                "持有过短",
                "对端的 FIN 距抓包结束不到一秒，或数据包没有时间（tcpdump -t）：一次普通的关闭可能只是还没完成。tcpdump 写的文件止于最后一个数据包，即使它停得更晚：若知道停止的时间，用 --end TIME 或 --end mtime 说明。套接字列表（--sockets）也能证实。",
            ],
            Doubt::FinBeforeCapture => [
                "FIN 可能早于抓包",
                "连接始于抓包之前，抓包中本端什么也没发：它的 FIN 可能在第一个数据包之前就已发出。请问主机：closewait sockets。",
            ],
            Doubt::LostBeforeFin => [
                "FIN 之前有缺失",
                "对端在 FIN 之前确认过本端没有被抓到的数据，所以本端的 FIN 也可能缺失。请加大缓冲区（-B）或收窄过滤表达式，或用 --sockets 证实。",
            ],
            Doubt::FinImplied => [
                "FIN 由确认推知",
                "本端的 FIN 没有抓到，但对端确认的序号恰好比所见多一，正是 FIN 所占的那一个。所以算作已关闭。",
            ],
            Doubt::Unconfirmed => [
                "未抓到对 FIN 的确认",
                "没有抓到对端 FIN 的确认，但 FIN 没有重发，可见已被确认。只保留 SYN、FIN、RST 的抓包就是这样：请抓该端口的全部数据包。",
            ],
            Doubt::Dropped => [
                "抓包丢包",
                "内核或抓包文件记录了丢失的数据包，本端的 FIN 可能在其中。请加大缓冲区（-B）、减小截断长度（-s 128），或收窄过滤表达式。",
            ],
            Doubt::RemoteTap => [
                "不在持有者主机上抓包",
                "数据包不是在持有连接的主机上抓的（只见到达，或已经过两个以上路由器）：它的 FIN 可能丢在途中。请在那台主机上抓包，或问它：closewait sockets。",
            ],
            Doubt::Truncated => [
                "文件不完整",
                "抓包文件止于一条记录的中间、已损坏，或有些行无法读取：缺失的部分可能含有本端的 FIN。请让 tcpdump 自行结束（SIGINT，-U）。",
            ],
            Doubt::Unacked => [
                "最后的数据未被确认",
                "本端最后的数据没有得到确认，或对端不再接收：程序可能已经关闭，而它的 FIN 排在这些数据之后。请检查路径和对端；此时主机上的 ss 显示 LAST-ACK。",
            ],
            Doubt::Holes => [
                "抓包有空洞",
                "这份抓包的若干连接表明缺少数据包，却没有任何丢包计数：本端的 FIN 可能就是其中之一。请加大缓冲区（-B），或收窄过滤表达式。",
            ],
            Doubt::Gap => [
                "抓包有间断",
                "持有期间有一段时间没有抓包，两侧的文件并非同一系列：它可能在那时已关闭。请不间断地抓包，或用 --separate 分别判断每个文件。",
            ],
            Doubt::PeerFinMissed => [
                "未抓到对端的 FIN",
                "对端的 FIN 没有抓到，但本端确认的序号比所见多一，并一直保持：那就是对 FIN 的确认。",
            ],
            Doubt::Unanswered => [
                "请求尚未应答",
                "对端关闭时，它的最后一个请求还没有得到本端应答：程序可能仍在处理，随后才会关闭。请稍后再看它还在不在：closewait sockets。",
            ],
            Doubt::ListedOpen => [
                "列表中仍打开",
                "套接字列表（--sockets）中它是打开的，而抓包显示对端的 FIN 已被确认：列表可能在那之前保存，或来自另一台主机。请重新保存：ss -tanpoei。",
            ],
            Doubt::ListedUnsure => [
                "列表不确定",
                "它的数据包看来仍是打开的。套接字列表（--sockets）中它处于 CLOSE-WAIT，前提是列表只有该状态的行（列表自己没有说），或其中的名字代表这些地址。请重新保存：ss -tanpoei。",
            ],
            Doubt::EndedElsewhere => [
                "可能在别处结束",
                "另一抓包点显示同样的地址和端口上有 FIN 或 RST，而两者之间的数据包在哪里都没有抓到；或者在别的地址下（NAT）有一条起始序号相同的连接以此结束，而这里缺了那些数据包。它可能结束了这条连接。请对照两份抓包：closewait explain FILE… --flow A:P-B:Q。",
            ],
            Doubt::RstIgnored => [
                "发出的 RST 被忽略",
                "本端发出了 RST，而对端早已收到它的序号，所以会忽略它（RFC 9293，3.5.3）。主机收到发给已不存在的套接字的数据包时才发这样的 RST：程序可能已经关闭。请问那台主机：closewait sockets。",
            ],
            Doubt::ListedClosed => [
                "列表中已关闭",
                "套接字列表（--sockets）中它处于程序关闭之后才有的状态（LAST-ACK、TIME-WAIT、FIN-WAIT），或者列表里已没有它，却有同一服务更晚进入 CLOSE-WAIT 的套接字；而抓包里看不到关闭：它可能在抓包结束后才关闭，或本端的 FIN 没有抓到。请重新保存列表，看它还在不在：ss -tanpoei。",
            ],
        }
    }
}

impl Named for Cause {
    fn key(self) -> &'static str {
        self.name()
    }

    fn chinese(self) -> [&'static str; 2] {
        match self {
            Cause::TransactionOpen => [
                "事务未结束",
                "对端关闭时事务还开着：程序执行了 BEGIN 之类的语句，却没有走到 COMMIT 或 ROLLBACK，连接也就没有还给连接池。旁边的语句可以引向代码：请确保每条路径都结束事务。",
            ],
            Cause::Forgotten => [
                "用后遗忘",
                "连接用过，然后空闲，对端关闭后再无人理会。请在使用之后归还或关闭；让连接池在对端超时之前检查或丢弃空闲连接。",
            ],
            Cause::ServerSaid => [
                "服务端已说明",
                "服务端在关闭之前发来一条错误（超时、停机），程序没有读。错误内容在证据里。",
            ],
            Cause::NeverAccepted => [
                "从未 accept",
                "内核完成了连接，程序从未 accept：它在监听套接字的 backlog 里等待。程序太忙，或 accept 循环已经停止。",
            ],
            Cause::StaleReuse => [
                "关闭后仍使用",
                "对端关闭之后，程序还在使用这条连接。请让连接池比对端更早丢弃空闲连接，或在使用之前检查套接字。",
            ],
            Cause::QuitUnclosed => {
                ["已告别未关闭", "客户端按协议道别了，却没有关闭套接字。请把套接字也关闭。"]
            }
            Cause::HalfClose => {
                ["半关闭", "一个方向还在继续，这是 TCP 允许的（RFC 9293，3.6.1）。无需处理。"]
            }
            Cause::NotLoggedIn => [
                "未登录",
                "没有人登录：服务端的问候无人应答，或登录没有完成，或被拒绝。提前打开的连接也必须像别的连接一样关闭；登录失败的连接也是。",
            ],
            Cause::Subscribed => [
                "等待订阅的消息",
                "客户端在等待它订阅的消息，而消息可能永远不来。要让它察觉对端关闭：读取时设超时，发送心跳，重新订阅。",
            ],
            Cause::MissedHeartbeats => [
                "心跳缺失",
                "客户端答应过定期报告自己还在，却静默了两个以上的间隔：对端认为它已死。程序的心跳线程无法运行，或程序卡住了。",
            ],
            Cause::Unanswered => [
                "请求未获应答",
                "对端关闭时还有请求未完成：应答始终没有来。程序在等它，或已放弃而没有关闭；请给请求设超时，超时后关闭连接。",
            ],
            Cause::CloseAnnounced => [
                "已预告关闭",
                "事先说过连接到此为止：Connection: close、HTTP/1.0 或 GOAWAY。读完应答后请关闭它；响应体若从未读完或关闭，套接字就会留着。",
            ],
            Cause::HostGone => {
                ["主机失联", "没有人确认 FIN：对方主机或到它的路径已经不在。请检查网络。"]
            }
            Cause::Unknown => [
                "原因不明",
                "能说明原因的内容没有看到：会话已加密、被截断、始于抓包之前或改用了另一协议，或数据包来自文本。请从一开始就抓包（tcpdump -w），截断长度更大（-s 256），或在解密之后的位置抓包。",
            ],
        }
    }
}

impl Named for Note {
    fn key(self) -> &'static str {
        self.name()
    }

    fn chinese(self) -> [&'static str; 2] {
        match self {
            Note::Midstream => {
                ["始于抓包之前", "连接始于抓包之前。此前说过什么（例如一个事务）无从得知。"]
            }
            Note::PortReused => [
                "端口重用",
                "同样的地址和端口之前有过连接。很快重用端口的客户端可能碰到服务端还留着的套接字。",
            ],
            Note::FinRetransmitted => {
                ["FIN 重发", "FIN 发送了不止一次：它的确认迟到或丢失。若最终得到确认，则无需处理。"]
            }
            Note::SynInCloseWait => [
                "CLOSE-WAIT 中收到 SYN",
                "仍在 CLOSE-WAIT 的套接字收到新的 SYN，新连接不能立即建立。请关闭旧的连接。",
            ],
            Note::PeerFinImplied => {
                ["推知对端的 FIN", "一侧确认的序号比另一侧所见发送的多一：那是没有抓到的 FIN。"]
            }
            Note::RstOddSeq => {
                ["RST 序号异常", "RST 的序号按 RFC 5961 不会被接受：可能是路径上的设备伪造的。"]
            }
            Note::RstWithoutEffect => [
                "RST 无效",
                "RST 在窗口之外、已损坏，或与发送者或接收者后来的数据包矛盾：它没有结束任何连接。",
            ],
            Note::Refused => ["被拒绝", "SYN 得到的回应是 RST：该端口无人监听，或被防火墙拒绝。"],
            Note::Duplicates => {
                ["重复的数据包", "数据包被抓了两次（-i any、网桥、镜像端口）。只计一次。"]
            }
            Note::TimeWentBack => [
                "时间倒退",
                "某个数据包的时间早于前一个：时钟被调整过，或文件被合并过。时长可能不准。",
            ],
            Note::DescriptorMayLeak => [
                "描述符可能泄漏",
                "在 CLOSE-WAIT 停留很久之后，对端重置了连接。内核不再列出这个套接字，但程序可能仍占着描述符：请查看 /proc/PID/fd，并关闭它。",
            ],
            Note::LastAck => [
                "停在 LAST-ACK",
                "双方都已关闭，第二个 FIN 无论重发多少次都无人确认：套接字停在 LAST-ACK。路径上的防火墙常会忘记半关闭的连接。",
            ],
            Note::UsedAfterFin => [
                "FIN 之后仍使用",
                "本端在对端已经关闭的连接上发送数据，被重置。请让连接池比对端更早丢弃空闲连接，或在使用之前检查套接字。",
            ],
            Note::DroppedIdle => [
                "空闲后丢失",
                "静默一分钟以上之后，发出的数据被重置或始终未被确认，也没有看到 FIN：路径上的设备（NAT、负载均衡、防火墙）忘记了连接。请以短于其超时的间隔发送 keep-alive，或更早丢弃空闲连接。",
            ],
            Note::FinWithoutEffect => [
                "FIN 无效",
                "FIN 已损坏、是伪造的或属于更早的连接：校验和不对，序号不可接受或没有 ACK，接收者必须丢弃，或发送者之后仍有新数据。它没有关闭任何东西。",
            ],
            Note::Rewritten => [
                "地址被改写",
                "连接以两组地址被抓到（NAT、sidecar）。只计一次，以拨出的地址（或 --local 指明的地址）为准。",
            ],
            Note::KernelHolds => [
                "内核仍持有",
                "内核或其套接字列表中，它的套接字处于 CLOSE-WAIT，而数据包显示的是另一种结束，或没有结束：所见的数据包已损坏、是伪造的，或从未到达；或者对端在抓包结束后才关闭。请关闭套接字。",
            ],
            Note::OneSideCaptured => [
                "只抓到一端",
                "只抓到一端的数据包，它们确认了另一端发送的数据：即使另一端已经关闭，它的 FIN 也不会出现。请在双向都经过的地方抓包（镜像口或路由器可能只看到一个方向），不要只过滤一个方向；或者问主机：closewait sockets。",
            ],
            Note::Multipath => [
                "多路径 TCP",
                "这是 Multipath TCP（RFC 8684）的连接或其子流：它的结束是选项中的 DATA_FIN，这里不读取；从数据包和仅含 TCP 的列表看，子流一直打开。内核知道：在主机上运行 closewait sockets，或 ss -Man。",
            ],
            Note::FinPassedOn => [
                "FIN 已转发",
                "看来由代理持有：这台主机有另一条连接，字节数和时间都与它相符（没有比较内容）；它似乎在那条连接上把 FIN 转发了出去，正在等待那条连接的远端关闭。请先看那里：other_leg 指出那条连接。",
            ],
        }
    }
}

/// Kinds of skipped packets that are sentences, not names.
const KINDS: [(&str, &str); 9] = [
    ("not matched by the filter", "不符合过滤条件"),
    ("later IP fragment", "后续 IP 分片"),
    ("malformed IP header: is the link type right?", "IP 首部格式错误：链路类型对吗？"),
    ("malformed IP header", "IP 首部格式错误"),
    ("malformed TCP header", "TCP 首部格式错误"),
    ("malformed link header", "链路首部格式错误"),
    ("IP header cut off", "IP 首部被截断"),
    ("TCP header cut off", "TCP 首部被截断"),
    ("link header cut off", "链路首部被截断"),
];

impl Lang {
    /// Names a kind of skipped packets, which JSON has by its English name.
    pub fn kind(self, name: &str) -> &str {
        let known = KINDS.iter().find(|(english, _)| *english == name);
        match (self, known) {
            (Lang::Chinese, Some((_, chinese))) => chinese,
            _ => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::TimeDelta;
    use unicode_width::UnicodeWidthStr;

    use super::*;
    use crate::set::Word as _;
    use crate::summary::groups::{forgotten_after, known_between};

    fn chinese<W: Named>(words: impl IntoIterator<Item = W>) -> Vec<[&'static str; 2]> {
        words.into_iter().map(Named::chinese).collect()
    }

    #[test]
    fn every_word_has_a_chinese_of_its_own() {
        let kinds = [
            chinese(Verdict::ALL),
            chinese(Reason::ALL),
            chinese(Doubt::ALL.iter().copied()),
            chinese(Cause::ALL),
            chinese(Note::ALL.iter().copied()),
        ];
        for kind in kinds {
            let names: BTreeSet<&str> = kind.iter().map(|[name, _]| *name).collect();
            assert_eq!(names.len(), kind.len(), "{names:?}");
            for [name, explained] in kind {
                assert!(name.width() > name.chars().count(), "{name}");
                assert!(explained.ends_with('。') && explained.width() > 24, "{name}: {explained}");
            }
        }
    }

    #[test]
    fn sentences_are_chinese() {
        let doubts = Doubt::ALL.iter().map(|doubt| Lang::Chinese.doubt_sentence(*doubt));
        let reasons = Reason::ALL.into_iter().map(|reason| Lang::Chinese.reason_sentence(reason));
        for sentence in doubts.chain(reasons) {
            assert!(sentence.width() > sentence.chars().count(), "{sentence}");
        }
    }

    #[test]
    fn every_known_product_has_its_chinese() {
        let all = known_between(TimeDelta::zero(), TimeDelta::days(2));
        let (all, years) = (all.collect::<Vec<_>>(), TimeDelta::days(1_000));
        assert!(all.len() == PRODUCTS.len() && forgotten_after(years).all(|it| all.contains(&it)));
        for name in all {
            assert_ne!(Lang::Chinese.product(name), name);
            assert_eq!(Lang::English.product(name), name);
        }
    }

    /// One function says what can be missing: its sentences, read from there, are all here.
    #[test]
    fn whatever_was_not_seen_has_its_chinese() {
        let source = include_str!("../../summary/cause.rs");
        let body =
            source.split("pub fn not_seen(").nth(1).and_then(|rest| rest.split("\n}\n").next());
        let body = body.expect("the function is there");
        let said: BTreeSet<&str> =
            body.split('"').skip(1).step_by(2).filter(|text| !text.is_empty()).collect();
        assert_eq!(said, NOT_SEEN.iter().map(|(english, _)| *english).collect());
    }
}
