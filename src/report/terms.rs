//! Terms of a report that are no judgement: a socket's states (RFC 9293, 3.3.2), and what stands at the head
//! of a column.

/// A term, with its Chinese name and both meanings.
pub struct Term {
    /// The name as a report prints it.
    pub name: &'static str,
    /// The kind of word that it is, in English and in Chinese.
    pub kind: [&'static str; 2],
    /// The meaning, and what to do.
    pub explained: &'static str,
    /// The Chinese name and meaning.
    pub chinese: [&'static str; 2],
}

const STATE: [&str; 2] = ["state of a socket", "套接字状态"];
const COLUMN: [&str; 2] = ["column", "栏目"];

/// Every term, states first.
pub const TERMS: [Term; 18] = [
    Term {
        name: "ESTABLISHED",
        kind: STATE,
        explained: "Neither side has closed: data may flow both ways. Of a connection that the report calls open, the capture ends before its close.",
        chinese: [
            "已建立",
            "双方都没有关闭，数据可以双向传送。报告称为 open 的连接，在抓包结束时还没有关闭。",
        ],
    },
    Term {
        name: "CLOSE-WAIT",
        kind: STATE,
        explained: "The peer sent FIN and the kernel acknowledged it: the kernel now waits for the program to close its side, for as long as it takes, since no timer ends this state. The socket, its descriptor and its memory stay until then. Find who holds it: closewait sockets, on the host. The curve below a report's headline has the sockets in it over the capture's time, from how many to how many, by way of the most.",
        chinese: [
            "等待程序关闭",
            "对端发了 FIN，内核已经确认：内核在等程序关闭自己这一侧，等多久都行，没有定时器会结束这个状态。套接字、描述符和内存都留到那时。谁持有它：在主机上运行 closewait sockets。报告标题下的曲线是抓包期间处于该状态的套接字：从几个到几个，中间是最多的时候。",
        ],
    },
    Term {
        name: "LAST-ACK",
        kind: STATE,
        explained: "The peer closed first, then the program, too: its FIN is sent again until the peer acknowledges it, or the kernel gives up after some minutes. Nothing to do for the program.",
        chinese: [
            "等待最后的确认",
            "对端先关闭，随后程序也关闭了：它的 FIN 会重发，直到对端确认，或几分钟后内核放弃。程序无需处理。",
        ],
    },
    Term {
        name: "FIN-WAIT-1",
        kind: STATE,
        explained: "The program closed first: its FIN was sent, and the peer has not acknowledged it yet. If that lasts, the path or the other host is gone.",
        chinese: [
            "FIN 已发出",
            "程序先关闭：FIN 已发出，对端尚未确认。若一直如此，路径或对端主机已经不在。",
        ],
    },
    Term {
        name: "FIN-WAIT-2",
        kind: STATE,
        explained: "The program closed first and the peer acknowledged that, but has not closed: what is FIN-WAIT-2 here is CLOSE-WAIT there. The leak, if it is one, is at the peer.",
        chinese: [
            "等待对端关闭",
            "程序先关闭，对端已经确认，但还没有关闭：这里的 FIN-WAIT-2 就是那里的 CLOSE-WAIT。若有泄漏，在对端。",
        ],
    },
    Term {
        name: "CLOSING",
        kind: STATE,
        explained: "Both sides sent FIN at the same time, and the peer has not acknowledged this one yet. It passes by itself.",
        chinese: ["同时关闭", "双方同时发出 FIN，对端尚未确认这一个。它会自行结束。"],
    },
    Term {
        name: "TIME-WAIT",
        kind: STATE,
        explained: "Both sides closed, this one first: the kernel keeps the addresses for a minute (Linux), so that late packets meet no new connection. It ends by itself, and holds no descriptor.",
        chinese: [
            "等待残余数据包消失",
            "双方都已关闭，这一侧先关：内核把地址保留一分钟（Linux），以免迟到的数据包进入新的连接。它会自行结束，也不占描述符。",
        ],
    },
    Term {
        name: "LISTEN",
        kind: STATE,
        explained: "A program waits for connections on this address and port: it is no connection, and has no peer. In its line, Recv-Q counts connections that are complete and that the program has not accepted, and Send-Q is how many may wait so. One that the peer closes while it waits is in CLOSE-WAIT, without any process: a Recv-Q that stays says that the program accepts too slowly, or no more.",
        chinese: [
            "监听",
            "程序在此地址和端口上等待连接：它本身不是连接，没有对端。在这一行，Recv-Q 是已经建立而程序还没有 accept 的连接数，Send-Q 是最多可以有多少条这样等待。等待期间被对端关闭的连接处于 CLOSE-WAIT，不属于任何进程：Recv-Q 一直不降，说明程序 accept 得太慢，或不再 accept。",
        ],
    },
    Term {
        name: "SYN-SENT",
        kind: STATE,
        explained: "The program connects: its SYN was sent, and nobody has answered it yet. If that lasts, the other host or the path is gone, or drops it.",
        chinese: [
            "SYN 已发出",
            "程序正在连接：SYN 已发出，还没有应答。若一直如此，对端主机或路径已经不在，或把它丢弃了。",
        ],
    },
    Term {
        name: "SYN-RECEIVED",
        kind: STATE,
        explained: "A SYN came and the kernel answered it, but the peer has not acknowledged that yet (ss: SYN-RECV). Many that stay so are a flood, or clients that the answer does not reach. No program has such a socket.",
        chinese: [
            "SYN 已收到",
            "收到了 SYN，内核已经应答，对端还没有确认（ss 写作 SYN-RECV）。许多一直如此，是洪水攻击，或应答到不了客户端。没有程序持有这样的套接字。",
        ],
    },
    Term {
        name: "held",
        kind: COLUMN,
        explained: "The time in CLOSE-WAIT: from the first ACK that covers the peer's FIN to the end of the capture, to the holder's own FIN, or to the reset. With ≥ it lasted at least so long: it had not ended when the capture did, or it began before. A capture may have gone on after its last packet: --end says until when.",
        chinese: [
            "持有",
            "处于 CLOSE-WAIT 的时间：从首个覆盖对端 FIN 的 ACK，到抓包结束、持有者自己的 FIN 或重置为止。带 ≥ 表示至少这么久：抓包结束时它还没有结束，或在抓包之前就已开始。抓包可能在最后一个数据包之后还在继续：用 --end 说明到何时。",
        ],
    },
    Term {
        name: "idle",
        kind: COLUMN,
        explained: "The pause before the first FIN: from the last new payload, or the handshake, of either side. The same pause on many connections is a timer: the peer's idle timeout. With ≤ it was at most so long: what was said before the capture is not known.",
        chinese: [
            "空闲",
            "首个 FIN 之前的停顿：从任一侧最后的新数据（或握手）算起。许多连接停顿相同，就是定时器：对端的空闲超时。带 ≤ 表示最多这么久：抓包之前说过什么不得而知。",
        ],
    },
    Term {
        name: "local",
        kind: COLUMN,
        explained: "The end that is judged: the one that should close. Where nothing says which host is yours, it is the side that has not closed: --local ADDR judges one side alone.",
        chinese: [
            "本端",
            "被判断的一端：该由它关闭。若无从得知哪台主机是您的，就是尚未关闭的那一侧：--local ADDR 只判断一侧。",
        ],
    },
    Term {
        name: "peer",
        kind: COLUMN,
        explained: "The other end of the connection: of a finding, the one that sent FIN and waits (in FIN-WAIT-2) for local to close.",
        chinese: [
            "对端",
            "连接的另一端：对于发现，就是发了 FIN、在 FIN-WAIT-2 中等待本端关闭的一端。",
        ],
    },
    Term {
        name: "frame",
        kind: COLUMN,
        explained: "The number of the packet with the first FIN, counted from 1 in its file, as Wireshark and tshark count: closewait explain FILE --frame N shows its connection.",
        chinese: [
            "帧",
            "首个 FIN 所在数据包的编号，在文件中从 1 数起，与 Wireshark、tshark 相同：closewait explain FILE --frame N 显示它的连接。",
        ],
    },
    Term {
        name: "Recv-Q",
        kind: COLUMN,
        explained: "Octets that the kernel holds and the program has not read; in CLOSE-WAIT the peer's FIN counts as one. 0: the program read the end-of-file, and did not close. 1: it never read the end-of-file, so it is not reading this connection. More: data came before the FIN, and the program read neither. In a LISTEN line it counts connections that wait to be accepted.",
        chinese: [
            "接收队列",
            "内核存着而程序还没有读的字节；在 CLOSE-WAIT 中，对端的 FIN 也算一个。0：程序读到了文件结尾（EOF），却没有关闭。1：它从未读到文件结尾，没有在读这条连接。更多：FIN 之前还有数据，程序两者都没有读。在 LISTEN 行，它是等待 accept 的连接数。",
        ],
    },
    Term {
        name: "Send-Q",
        kind: COLUMN,
        explained: "Octets that the program has sent and the peer has not acknowledged, those included that could not leave yet. In CLOSE-WAIT it is 0 as a rule: more that stays means that the peer's kernel takes nothing any more, or is gone. In a LISTEN line it is how many connections may wait to be accepted.",
        chinese: [
            "发送队列",
            "程序已发送而对端还没有确认的字节，包括还没能发出的。在 CLOSE-WAIT 中通常是 0：若一直更多，说明对端内核不再接收，或已经不在。在 LISTEN 行，它是最多可以有多少条连接等待 accept。",
        ],
    },
    Term {
        name: "process",
        kind: COLUMN,
        explained: "The program that has the socket's descriptor, with its process number: from the kernel (live, top, sockets), a saved list (--sockets) or the capture itself. A socket that several processes have is closed only when all of them close it.",
        chinese: [
            "进程",
            "持有套接字描述符的程序和进程号：来自内核（live、top、sockets）、保存的列表（--sockets）或抓包本身。几个进程共有的套接字，要全部关闭才算关闭。",
        ],
    },
];
