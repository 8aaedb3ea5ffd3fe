//! The sentences of reports, English and Chinese side by side: each is a method of [`Lang`], and what is in
//! braces fills it.

use std::fmt::Display;

use super::Lang;

/// Declares sentences. A hole that has nothing to fill it does not compile.
macro_rules! phrases {
    ($($name:ident($($hole:ident),*): $english:literal => $chinese:literal;)*) => {
        impl Lang {
            $(
                #[must_use]
                pub(in crate::report) fn $name(self $(, $hole: impl Display)*) -> String {
                    match self {
                        Lang::English => format!($english),
                        Lang::Chinese => format!($chinese),
                    }
                }
            )*
        }

        #[cfg(test)]
        const ALL: &[(&str, &str)] = &[$(($english, $chinese)),*];
    };
}

// What joins others.
phrases! {
    comma(): ", " => "，";
    semicolon(): "; " => "；";
    stop(): "." => "。";
    and(): " and " => "和";
    and_so(words): "; {words}" => "；{words}";
    aside(words): " ({words})" => "（{words}）";
    colon(words): ": {words}" => "：{words}";

    // The headline.
    left(n, of, by): "{n} of {of} left in CLOSE-WAIT{by}" => "{of}中有 {n} 条遗留在 CLOSE-WAIT{by}";
    held_until_reset(n, of, by): "{n} of {of} held in CLOSE-WAIT{by} until reset by the peer" => "{of}中有 {n} 条停留在 CLOSE-WAIT，直到被对端重置{by}";
    until_reset(n): "{n} of them until reset by the peer" => "其中 {n} 条直到被对端重置";
    by_host(host): " by {host}" => "，由 {host} 持有";
    at_addresses(n): " by {n} addresses" => "，由 {n} 个地址持有";
    at_addresses_or_more(n): " by {n} addresses or more" => "，由至少 {n} 个地址持有";
    each_address(list): "By address: {list}." => "按地址：{list}。";
    n_at(n, host): "{n} at {host}" => "{host} 持有 {n} 条";
    certain(): "certain" => "确定";
    all_certain(): "all certain" => "全部确定";
    doubted(): "with doubts" => "存疑";
    all_doubted(): "all with doubts" => "全部存疑";
    partly_certain(certain, doubted): "{certain} certain, {doubted} with doubts" => "{certain} 条确定，{doubted} 条存疑";
    since_before(sockets): "{sockets} in CLOSE-WAIT since before the capture" => "抓包开始之前就有 {sockets}处于 CLOSE-WAIT";
    since_before_or_unseen(sockets): "{sockets} in CLOSE-WAIT since before the capture, or with no packet captured" => "抓包开始之前就有，或没有抓到任何数据包：{sockets}处于 CLOSE-WAIT";
    none_of_them_left(of): "; none of the {of} in it is left" => "；抓包里的 {of}都没有遗留";
    and_none_in_it(): ", and no connection in it" => "，抓包里没有连接";
    in_close_wait(n, of): "{n} of {of} in CLOSE-WAIT, none of them a finding" => "{of}中有 {n} 条处于 CLOSE-WAIT，都不算发现";
    one_waits(n, of, whom): "{n} of {of} waits in FIN-WAIT-2 for {whom} to close" => "{of}中有 {n} 条在 FIN-WAIT-2 中等待 {whom} 关闭";
    some_wait(n, of, whom): "{n} of {of} wait in FIN-WAIT-2 for {whom} to close" => "{of}中有 {n} 条在 FIN-WAIT-2 中等待 {whom} 关闭";
    none_left_here(): "; none is left in CLOSE-WAIT at this side" => "；本端没有遗留在 CLOSE-WAIT 的连接";
    none_left_locally(of): "None of {of} left in CLOSE-WAIT at the local end" => "{of}中，没有一条在本端遗留于 CLOSE-WAIT";
    names_nobody(of): "Nothing was judged: --local names no end of {of}" => "什么也没有判断：--local 没有指到 {of}的任何一端";
    none_left(): "No connection left in CLOSE-WAIT" => "没有遗留在 CLOSE-WAIT 的连接";
    among(of): " among {of}" => "（共 {of}）";
    nobody_closed(of, open): " among {of}, but no FIN was seen, so nothing was judged: {open}" => "（共 {of}），但没有看到任何 FIN，所以什么也没有判断：{open}";
    no_fin_counts(of, open): " among {of}, but no FIN that counts was seen, so nothing was judged: {open}" => "（共 {of}），但没有见到有效的 FIN，所以什么也没有判断：{open}";
    zones(first, later): "{first}, then {later}" => "先 {first}，后 {later}";
    own_of(n, of): "{n} of {of} that --local names" => "{of}中 --local 指到的 {n} 条";
    still_open(n): "{n} open" => "{n} 条打开";
    still_open_in_transaction(n, open): "{n} open, {open} in a transaction" => "{n} 条打开，其中 {open} 条在事务中";
    no_finding(): "No finding" => "没有发现";
    not_all_judged(of): " among {of}, but not everything was judged" => "（共 {of}），但并非全部都能判断";
    in_captures(connections, n): "{connections} in {n} captures" => "{n} 份抓包的 {connections}";
    other_statements(n): "and {n} others" => "以及另外 {n} 种";
    none_has_tags(): "No connection has all the tags that were asked for" => "没有带有所查标签的连接";
    none_matches(): "No TCP connection matches the filter" => "没有符合过滤表达式的 TCP 连接";
    none_could_be_read(): "No TCP connection could be read" => "没有能读取的 TCP 连接";
    none_in_capture(): "No TCP connection in the capture" => "抓包里没有 TCP 连接";
    read(packets): " ({packets} read)" => "（读取了 {packets}）";
    pending(n): "{n} pending (held for less than --min-hold)" => "{n} 条待定（持有时间短于 --min-hold）";
    one_hidden(n): "{n} with doubts is not counted (--certain)" => "{n} 条存疑，未计入（--certain）";
    some_hidden(n): "{n} with doubts are not counted (--certain)" => "{n} 条存疑，未计入（--certain）";
    by_the_list(sockets): "{sockets} in CLOSE-WAIT by the list, not by the capture" => "列表中有 {sockets}处于 CLOSE-WAIT，抓包里看不到";
    more_by_the_list(n): "{n} more by the list, not by the capture" => "列表中另有 {n} 个，抓包里看不到";
    pending_before(n): "{n} in CLOSE-WAIT since before it, not known to be held for --min-hold" => "{n} 个在抓包之前就处于 CLOSE-WAIT，尚不知是否已达 --min-hold";
    pending_before_or_unseen(n): "{n} in CLOSE-WAIT since before it, or with no packet captured, not known to be held for --min-hold" => "{n} 个在抓包之前就处于 CLOSE-WAIT，或没有抓到任何数据包，尚不知是否已达 --min-hold";
    more_before(n): "{n} more since before the capture" => "另有 {n} 个在抓包开始之前就已如此";
    more_before_or_unseen(n): "{n} more since before the capture, or with no packet captured" => "另有 {n} 个在抓包开始之前就已如此，或没有抓到任何数据包";
    elsewhere(n): "{n} in CLOSE-WAIT at ends that are not local" => "{n} 条在非本端的一侧处于 CLOSE-WAIT";
    other_side(n): "{n} at the other side (peer-holds)" => "{n} 条由对端持有";
    tags_not_read(n): "{n} in CLOSE-WAIT in a protocol that is not read" => "{n} 条处于 CLOSE-WAIT，但其协议无法解析";
    tags_left_out(n): "{n} in CLOSE-WAIT whose tags cannot be told" => "{n} 条处于 CLOSE-WAIT，但看不出标签";
    not_judged(n): "{n} not judged (unknown)" => "{n} 条无法判断";
    given_up(n): "{n} given up early for lack of memory (--max-flows)" => "{n} 条因内存不足而提前放弃（--max-flows）";
    not_read(inputs): "{inputs} not read whole" => "{inputs}没有读完";
    sealed(packets, by): "{packets} encrypted ({by}): whatever TCP is in there cannot be read" => "{packets}已加密（{by}），其中若有 TCP 也无法读取";
    not_understood(packets): "{packets} not understood" => "{packets}没能解读";
    cut_off(inputs): "{inputs} cut off in the middle of a record" => "{inputs}在记录中间被截断";
    local_known(how): "Local side known from {how}." => "本端的依据：{how}。";
    local_both(): "Both sides are on one host, so whichever side has not closed is judged: use --local :PORT to judge one side." => "两侧都在同一台主机上，所以凡是没有关闭的一侧都会被判断：用 --local :PORT 只判断一侧。";
    local_both_named(option): "Both sides are local by --local, so each that owes a FIN is judged: use --local {option} alone to judge one side." => "两侧都由 --local 指定为本端，所以凡是还欠一个 FIN 的一侧都会被判断：只用 --local {option} 则只判断一侧。";
    one_of_holders(option, n): "{option} (one of {n} holders)" => "{option}（{n} 个持有者之一）";
    local_unknown(option): "Local side unknown, so whichever side has not closed is judged: use --local {option} to judge one side." => "不知道哪一侧是本端，所以凡是没有关闭的一侧都会被判断：用 --local {option} 只判断一侧。";

    // CLOSE-WAIT over time.
    a_minute(rate): ", {rate} a minute" => "，每分钟 {rate}";
    an_hour(rate): ", {rate} an hour" => "，每小时 {rate}";

    // Groups.
    too_small(connections): "  … {connections} in groups too small to be kept apart" => "  … {connections}分属过小的组，不再细分";
    details_left(groups): "  … details of {groups}: --top 0" => "  … {groups}的详情: --top 0";
    left_out(what): "  … {what}: --top 0" => "  … {what}: --top 0";
    groups_left(groups, of): "  … {groups} ({of}): --top 0" => "  … {groups}（{of}）: --top 0";
    groups_and_details_left(groups, of, n): "  … {groups} ({of}), details of {n} above: --top 0" => "  … {groups}（{of}），以及上面 {n} 组的详情: --top 0";
    peer_addresses(n): "peers at {n} addresses" => "对端有 {n} 个地址";
    in_doubt(list): "in doubt: {list}" => "存疑：{list}";
    by_code(code): "by {code}" => "来自 {code}";
    fin_at(time): "FIN at {time}" => "FIN 在 {time}";
    held_at(n): ", at {n} addresses" => "，分布在 {n} 个地址";
    begun_apart(time): ", begun {time} apart" => "，开始时间相差 {time}";
    held(time): "held {time}" => "持有 {time}";
    idle(time): "idle {time}" => "空闲 {time}";
    not_in_list(): "not in the list" => "不在列表中";
    backlog(): "(backlog)" => "(backlog)";
    hidden(): "(unknown)" => "(未知)";
    by_capture(holder): "{holder} (by the capture)" => "{holder}（抓包所记）";
    peer(end): "peer {end}" => "对端 {end}";
    local(end): "local {end}" => "本端 {end}";
    local_with(end, peers): "local {end} ({peers})" => "本端 {end}（{peers}）";
    closed_at_once(): "closed at the same moment (a restart or shutdown there?)" => "在同一时刻被关闭（对端重启或停止？）";
    timeout(about, like, spread): "a timeout of about {about} s there{like} (idle ± {spread})" => "对端约有 {about} s 的超时{like}（空闲 ± {spread}）";
    timeout_of_some(n, timeout): "{n} of them closed by {timeout}" => "其中 {n} 条：{timeout}";
    like(name): " (like {name})" => "（类似 {name}）";
    last_said(statement): "last: {statement}" => "最后：{statement}";
    one_by_one(): "  one by one: --top 0" => "  逐条列出: --top 0";
    more(n, how): "  … {n} more: {how}" => "  … 另外 {n} 条: {how}";

    // Captions of tables.
    local_caption(): "local" => "本端";
    peer_caption(): "peer" => "对端";
    fin_at_caption(): "FIN at" => "FIN 时间";
    first_fin_at_caption(): "first FIN at" => "首个 FIN 时间";
    by_caption(): "by" => "由";
    held_caption(): "held" => "持有";
    idle_caption(): "idle" => "空闲";
    frame_caption(): "frame" => "帧";
    process_caption(): "process" => "进程";
    doubts_caption(): "doubts" => "疑点";
    verdict_caption(): "verdict" => "结论";
    count_caption(): "count" => "数量";
    command_caption(): "command" => "命令";
    state_caption(): "state" => "状态";
    without_finding(): "Connections without a finding" => "其他连接（不是发现）";
    held_at_most(time): "held … ≥ {time}" => "持有 … ≥ {time}";

    // What it means.
    no_timer(): "No kernel timer ends CLOSE-WAIT: the program must close the socket." => "没有任何内核定时器会结束 CLOSE-WAIT：必须由程序关闭套接字。";
    and_more(n): " and {n} more" => " 等另外 {n} 个";
    by_list_alone(n, note): "{n} of them: in CLOSE-WAIT by the list of sockets, which the packets alone do not show ({note})." => "其中 {n} 条：套接字列表中处于 CLOSE-WAIT，单凭数据包看不出来（{note}）。";
    passed_on(n, ends, note): "{n} of them: held by what seems to be a proxy, which passed the FIN on and waits for {ends} to close ({note})." => "其中 {n} 条：看来由代理持有，它似乎已把 FIN 转发出去，正在等待 {ends} 关闭（{note}）。";
    only_one_reset(): "It was reset by the peer after a long CLOSE-WAIT: forgotten by the kernel, perhaps with a descriptor that the program still holds." => "它在 CLOSE-WAIT 中停留很久之后被对端重置：内核已经忘记这个套接字，程序可能仍然占着描述符。";
    one_reset(): "1 of them was reset by the peer after a long CLOSE-WAIT: forgotten by the kernel, perhaps with a descriptor that the program still holds." => "其中 1 条在 CLOSE-WAIT 中停留很久之后被对端重置：内核已经忘记这个套接字，程序可能仍然占着描述符。";
    all_reset(): "They were reset by the peer after a long CLOSE-WAIT: forgotten by the kernel, perhaps with a descriptor that the program still holds." => "它们在 CLOSE-WAIT 中停留很久之后被对端重置：内核已经忘记这些套接字，程序可能仍然占着描述符。";
    some_reset(n): "{n} of them were reset by the peer after a long CLOSE-WAIT: forgotten by the kernel, perhaps with a descriptor that the program still holds." => "其中 {n} 条在 CLOSE-WAIT 中停留很久之后被对端重置：内核已经忘记这些套接字，程序可能仍然占着描述符。";
    doubt(name, of, sentence): "Doubt {name}{of}: {sentence}." => "疑点“{name}”{of}：{sentence}。";
    of_all(n, all): " ({n} of {all})" => "（{all} 条中的 {n} 条）";
    doubts(list): "Doubts: {list} (closewait explain WORD)." => "疑点：{list}（含义：closewait explain 词）。";
    say_the_end(): "Did the capture go on after its last packet? Say until when: --end mtime (or TIME)." => "最后一个数据包之后抓包还在继续吗？请说明到何时为止：--end mtime（或 TIME）。";
    one_sided(connections, note): "{connections} with one side captured alone ({note}): the other's FIN would not show." => "{connections}只抓到一端（{note}）：另一端的 FIN 不会出现。";
    multipath(connections, note): "{connections} open in Multipath TCP ({note}): its end, a DATA_FIN, is not read: closewait sockets, on the host." => "{connections}属于 Multipath TCP（{note}），处于打开状态：它的结束（DATA_FIN）这里不读取：请在主机上运行 closewait sockets。";
    tags_untold(connections): "{connections} left out, whose tags cannot be told (encrypted, cut or lost)." => "{connections}未计入，因为看不出标签（加密、被截断或丢失）。";
    held_over_there(options): "Held at the other side (peer-holds): see with --local {options}." => "由对端持有：用 --local {options} 查看。";
    stuck_earlier(time): "Sockets stuck before {time} cannot show here: closewait sockets, on the host." => "{time} 之前就卡住的套接字在这里看不到：请在主机上运行 closewait sockets。";
    next(command): "next: {command}" => "下一步: {command}";

    // What happened besides.
    besides(list): "Besides: {list} (more: --top 0)." => "此外：{list}（更多: --top 0）。";
    n_late(n): "{n} held for 1 s or more and closed after all" => "{n} 条持有 1 s 以上，最终还是关闭了";
    n_used(n): "{n} reset when used after the peer's FIN" => "{n} 条在对端 FIN 之后使用，被重置";
    n_dropped(n): "{n} dropped without a FIN after long silence" => "{n} 条长时间静默后丢失，没有 FIN";
    n_last_ack(n): "{n} in LAST-ACK, never acknowledged" => "{n} 条停在 LAST-ACK，始终未被确认";
    to_service(connections, service, what): "{connections} to {service}: {what}" => "到 {service} 的 {connections}：{what}";
    of_services(connections, services): "  … {connections} of {services}: --top 0" => "  … {services}的 {connections}: --top 0";
    other_services(): "other services" => "其他服务";
    some_time(): "some time" => "一段时间";
    several_hosts(): "several hosts" => "多台主机";
    restart(): ", all at the same moment (a restart?)" => "，全部在同一时刻（重启？）";
    late(host, took, at_once): "held in CLOSE-WAIT by {host} for {took}, then closed after all{at_once}." => "由 {host} 在 CLOSE-WAIT 中持有 {took}，最终还是关闭了{at_once}。";
    after_idle(idle): ", which came after {idle} idle" => "，而 FIN 在空闲 {idle} 之后到来";
    used(host, took, idle): "used by {host} {took} after the peer's FIN{idle}, and reset: drop idle ones sooner, or look before use." => "{host} 在对端 FIN 之后 {took} 仍在使用{idle}，于是被重置：请更早丢弃空闲连接，或在使用前检查。";
    perhaps(list): " ({list}?)" => "（{list}？）";
    dropped(took, perhaps): "ended at their first use after {took} idle, without any FIN: something on the path forgot them sooner{perhaps}." => "空闲 {took} 之后首次使用就断了，没有任何 FIN：路径上有设备更早忘记了它们{perhaps}。";
    last_ack(host, took): "LAST-ACK: {host} sent its FIN {took} after the peer's, again and again, and nobody acknowledged it: something on the path forgot the connection." => "LAST-ACK：{host} 在对端 FIN 之后 {took} 发出自己的 FIN，一再重发也无人确认：路径上有设备忘记了这条连接。";
    race(service, timeout, measured, requests, after, setting): "{service}: its idle timeout is {timeout} ({measured}); {requests} sent {after} after its FIN had arrived: close idle connections after less than {timeout}{setting}." => "{service}：空闲超时为 {timeout}（{measured}）；有 {requests}在其 FIN 到达之后 {after} 才发出：请在空闲不到 {timeout} 时关闭连接{setting}。";
    one_request(): "1 request was" => "1 个请求";
    requests(n): "{n} requests were" => "{n} 个请求";
    lasted(most): "; CLOSE-WAIT lasted {most}" => "；CLOSE-WAIT 持续 {most}";
    lasted_at_most(most): "; CLOSE-WAIT lasted {most} at most" => "；CLOSE-WAIT 最长 {most}";
    lasted_half(half, most): "; CLOSE-WAIT lasted {half} or less in half of them, {most} at most" => "；CLOSE-WAIT 半数不超过 {half}，最长 {most}";
    nearly_all(time): " ({time} or less in 99 %)" => "（99 % 不超过 {time}）";
    the_service(): "the service" => "服务端";
    the_client(): "the client" => "客户端";
    one_first(whose): "{whose} first" => "{whose}先关闭";
    some_first(whose, n): "{whose} first in {n}" => "{whose}先关闭的有 {n} 条";
    after_answer(idle): ", {idle} after its last answer (no idle timeout)" => "，在最后一个应答之后 {idle}（不是空闲超时）";
    after_idling(idle): ", after {idle} idle" => "，空闲 {idle} 之后";
    closed_by_both(connections, service, who, slow): "{connections} to {service} closed by both{who}{slow}." => "到 {service} 的 {connections}由双方关闭{who}{slow}。";
    first_elsewhere(services, connections): "Who closed first at {services} ({connections}): --top 0" => "{services}（{connections}）由谁先关闭: --top 0";

    // The end.
    n_of(n, verdict): "{n} {verdict}" => "{n} 条{verdict}";
    n_in_doubt(n, doubt): "{n} {doubt}" => "{n} 条“{doubt}”";
    others_ended(list): "The other connections: {list}." => "其余连接：{list}。";
    all_ended(list): "Connections: {list}." => "连接：{list}。";
    in_transaction(n): " ({n} in a transaction)" => "（{n} 条在事务中）";
    unknown_because(n, name, sentence): "{n} unknown ({name}): {sentence}." => "{n} 条无法判断（{name}）：{sentence}。";
    rewritten(connections): "Addresses were rewritten (NAT, a sidecar?): {connections} shown under two pairs of them, counted once, as dialled or as --local names them." => "地址被改写过（NAT、sidecar？）：{connections}以两组地址出现，只计一次，以拨出的地址（或 --local 指明的地址）为准。";
    seen_twice(connections): "{connections} seen at two capture points, counted once." => "{connections}在两个抓包点都被看到，只计一次。";
    seen_often(connections): "{connections} seen at two capture points or more, counted once." => "{connections}在两个或更多抓包点被看到，只计一次。";
    apart(connections, time): "{connections} with the initial numbers of one at another point, up to {time} apart: the same by other clocks, perhaps; each counts." => "{connections}与另一抓包点的连接初始序号相同，时间相差最多 {time}：可能是同一条连接，只是时钟不同；分别计数。";
    evicted(connections): "{connections} left memory early and were judged by what was seen until then: --max-flows raises the limit." => "{connections}提前离开内存，按当时所见判断：--max-flows 可提高上限。";
    unlisted(connections): "{connections} more are counted, and not listed or grouped: --max-flows raises the limit, --all --format jsonl has none." => "另有 {connections}已计数，但未列出也未分组：--max-flows 可提高上限，--all --format jsonl 没有上限。";
    skipped(packets, kinds): "Skipped {packets}: {kinds}." => "跳过 {packets}：{kinds}。";
    one_line_skipped(): "Skipped 1 line that is not a packet line." => "跳过 1 行：不是数据包。";
    lines_skipped(n): "Skipped {n} lines that are not packet lines." => "跳过 {n} 行：不是数据包。";
    missing(n, connections): "Packets are missing from this capture: {n} of {connections} show it." => "这份抓包缺少数据包：{connections}中有 {n} 条可以看出。";
    pause(time, before, after): "Nothing was captured for {time} between {before} and {after}." => "{before} 与 {after} 之间有 {time} 没有抓包。";
    overlap(first, with, time): "{first} overlaps {with} by {time}: read as a capture of another point." => "{first} 与 {with} 重叠 {time}：视为另一个抓包点。";
    of_no_day(first, with): "Of {first} and {with}, only one has dates: read as captures of two points." => "{first} 与 {with} 中只有一个带日期：视为两个抓包点。";
    of_another_clock(first, with): "{first} begins with handshakes of {with}, by another clock: read as a capture of another point." => "{first} 开头的握手与 {with} 中的相同，但时钟不同：视为另一个抓包点。";
    other_link_type(first, with): "{first} is of another link type than {with}: read as a capture of another point." => "{first} 与 {with} 的链路类型不同：视为另一个抓包点。";
    set_back(time): "Its last packet is {time} older than its latest: a clock was set back, or packets are not in the order of their times (reordercap IN OUT sorts a capture)." => "其中最后一个数据包比时间最晚的早 {time}：时钟被拨回过，或数据包没有按时间排列（reordercap IN OUT 可以排序）。";
    end_too_early(time): "Its end is not {time} (--end): packets come after that; it ends with the last of them." => "它不是在 {time}（--end）结束的：此后还有数据包；以最后一个数据包为止。";
    end_of_a_copy(time): "Its end is not {time} (--end mtime), more than 7 days after its last packet: a copy's time? Say --end TIME." => "它不是在 {time}（--end mtime）结束的：那是最后一个数据包之后 7 天以上，也许是复制的时间？请用 --end TIME 说明。";
    end_not_comparable(): "It ends with its last packet, whatever --end says: its times have no date." => "以最后一个数据包为止，不按 --end：它的时间没有日期。";
    end_unknown(): "Its end is not known (--end mtime): this input has no time of its last change. Say --end TIME." => "它的结束时间不明（--end mtime）：此输入没有最后修改时间。请用 --end TIME 说明。";
    only_payload(): "It holds only packets with payload: a FIN or an ACK without any cannot show." => "其中只有带载荷的数据包：不带载荷的 FIN 和 ACK 看不到。";
    no_bare_ack(): "It holds no bare ACK (a filter on flags?): whether a FIN was acknowledged is inferred." => "其中没有单独的 ACK（按标志位过滤过？）：FIN 是否被确认只能推断。";
    files(first, last, n): "{first} … {last} ({n} files)" => "{first} … {last}（{n} 个文件）";
    of_tcp(names, packets, segments): "{names}: {packets}, {segments} of TCP" => "{names}：{packets}，其中 TCP {segments} 个";
    without_times(): ", without times" => "，没有时间";
    snap_length(octets): ", snap length {octets}" => "，截断长度 {octets}";
    other_lengths(n): " and {n} others" => " 以及另外 {n} 种";
    drops(packets): ", {packets} dropped" => "，丢弃 {packets}";

    listed_otherwise(sockets): "The list has {sockets} in CLOSE-WAIT with the ends of a connection that this capture shows otherwise: a later connection, or the list is older." => "列表中有 {sockets}处于 CLOSE-WAIT，而抓包中这两端的连接并非如此：那是之后的连接，或列表较旧。";
    foreign_list(): "No socket in the list has an address of the capture: is it another host's, or another network namespace's?" => "列表中没有任何套接字带有抓包里的地址：它是否来自另一台主机，或另一个网络命名空间？";

    // Events.
    held_so_far(held, idle): "held {held} so far{idle}" => "已持有 {held}{idle}";
    idle_before(idle): ", idle {idle} before" => "，此前空闲 {idle}";
    gone(): "the kernel has it in CLOSE-WAIT no more" => "内核里它已不在 CLOSE-WAIT";
    ended_after(verdict, held): "{verdict} after {held}" => "{held} 后{verdict}";
    later(verdict): "later packets show: {verdict}" => "之后的数据包表明：{verdict}";
    of_these(n): "; {n} of these now" => "；此类现有 {n} 条";
    steady(): "not growing" => "没有增长";
    rate(more): "{more} a minute" => "每分钟 {more}";
    rate_an_hour(more): "{more} an hour" => "每小时 {more}";
    in_use(n, limit): "{n} of {limit} descriptors" => "描述符 {n} / {limit}";
    limit_reached(time): "limit reached at {time}" => "{time} 达到上限";
    stuck_before(held, idle): "since before{held}{idle}" => "抓包之前就已如此{held}{idle}";
    stuck_unseen(held, idle): "no packet between its ends was captured{held}{idle}" => "没有抓到它两端之间的任何数据包{held}{idle}";
    held_bound(time): ", held ≥ {time}" => "，持有 ≥ {time}";
    idle_bound(time): ", idle ≤ {time}" => "，空闲 ≤ {time}";

    // Sockets of a host.
    no_socket(): "No TCP socket." => "没有 TCP 套接字。";
    no_socket_stuck(): "No socket in CLOSE-WAIT." => "没有套接字处于 CLOSE-WAIT。";
    closed_here(n, whom): "In FIN-WAIT-2 ({n}): closed here, and not yet by {whom}: closewait sockets, there." => "处于 FIN-WAIT-2（{n}）：这里已关闭，{whom} 尚未关闭：请在那里运行 closewait sockets。";
    none_read_stuck(): "No socket in CLOSE-WAIT in the lines that could be read." => "在能读出的行里，没有套接字处于 CLOSE-WAIT。";
    others_stuck(sockets): " Not asked for: {sockets} in CLOSE-WAIT." => "另有 {sockets}处于 CLOSE-WAIT，但不在所问之列。";
    sockets_stuck(sockets): "{sockets} in CLOSE-WAIT" => "{sockets}处于 CLOSE-WAIT";
    idle_at_most(time): "; idle ≤ {time}" => "；空闲 ≤ {time}";
    recv_q_0(): "Recv-Q 0: the program read the end-of-file, and did not close the socket." => "Recv-Q 0：程序读到了文件结尾（EOF），却没有关闭套接字。";
    recv_q_1(): "Recv-Q 1: the program never read the end-of-file: it is not reading this connection." => "Recv-Q 1：程序从未读到文件结尾（EOF）：它没有在读这条连接。";
    recv_q_more(): "Recv-Q above 1: data came before the end-of-file, and the program read neither." => "Recv-Q 大于 1：文件结尾（EOF）之前还有数据，程序两者都没有读。";
    in_backlog(): "(backlog): no process has the socket: it sits in a listening socket's backlog, and the program never accepted it." => "(backlog)：没有进程拥有这个套接字：它在监听套接字的 backlog 里，程序从未 accept。";
    shared(n, processes): "{n} held by several processes at once ({processes}), as after a fork: each has to close it." => "{n} 个由多个进程同时持有（{processes}），例如 fork 之后：每个进程都必须关闭它。";
    list_has_no_process(): "(unknown): the list has no process number for them: ss -tanpe, netstat -antp or lsof -nP -iTCP do, as root." => "(未知)：列表里没有它们的进程号：请以 root 运行 ss -tanpe、netstat -antp 或 lsof -nP -iTCP。";
    process_ended(): "(unknown): no process that was found has it: it ended meanwhile, or passes it on, or a thread has descriptors of its own." => "(未知)：没有找到持有它的进程：进程已结束，正在传递它，或某个线程有自己的描述符表。";
    no_permission(processes): "(unknown): no permission to look into {processes}: run as root, or give closewait cap_sys_ptrace and cap_dac_read_search." => "(未知)：没有权限查看 {processes}：请以 root 运行，或给 closewait 赋予 cap_sys_ptrace 和 cap_dac_read_search。";
    one_process(): "1 process" => "1 个进程";
    processes(n): "{n} processes" => "{n} 个进程";
    by_last_segment(more): "held and idle go by the peer's last segment: a keep-alive after its FIN shortens held and lengthens idle{more}." => "持有和空闲按对端的最后一个报文段计算：FIN 之后的 keep-alive 会使持有变短、空闲变长{more}。";
    keep_alives(n): " (this host sends them on {n})" => "（本机在 {n} 个套接字上发送它们）";
    list_says_no_times(): "Since when, the list does not say: ss -tanpoei does." => "列表没有说明从何时开始：ss -tanpoei 会说明。";
    kernel_says_no_times(): "Since when, the kernel does not say here (sock_diag)." => "这里的内核没有说明从何时开始（sock_diag）。";
    descriptors(process, stuck, all, limit, outlook): "{process}: {stuck} of {all} descriptors in CLOSE-WAIT{limit}{outlook}." => "{process}：{all} 个描述符中有 {stuck} 个处于 CLOSE-WAIT{limit}{outlook}。";
    unknown_number(): "an unknown number of" => "数目不明的";
    limit(n): ", limit {n}" => "，上限 {n}";
    no_limit(): ", no limit known" => "，上限不明";
    full_in(rate, left, at): "; {rate}, which reaches the limit in {left}{at}" => "；{rate}，{left} 后达到上限{at}";
    full_at(time): ", at {time}" => "，即 {time}";
    not_growing(): "; not growing" => "；没有增长";
    grows(rate): "; {rate}" => "；{rate}";
    no_process(): "(no process)" => "(没有进程)";
    grown(more, lists, who, peer): "  {more} from the first of {lists} lists to the last: {who}, peer {peer}" => "  {lists} 份列表从第一份到最后一份 {more}：{who}，对端 {peer}";
    grows_by(rate, who, peer): "  {rate}: {who}, peer {peer}" => "  {rate}：{who}，对端 {peer}";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use unicode_width::UnicodeWidthStr;

    use super::ALL;
    use crate::report::text::page::after_stops;

    fn holes(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect()
    }

    #[test]
    fn both_languages_say_the_same() {
        let silent: Vec<_> = ALL.iter().filter(|(en, zh)| holes(en) != holes(zh)).collect();
        assert!(silent.is_empty(), "{silent:#?}");
    }

    /// Only punctuation between blanks breaks a line: nothing may be longer than a narrow screen.
    #[test]
    fn a_line_of_chinese_can_be_broken() {
        let parts = ALL.iter().flat_map(|(_, chinese)| after_stops(chinese));
        let widest = parts.max_by_key(|part| part.word.width()).expect("a phrase");
        assert!(widest.word.width() <= 60, "{widest:?}");
    }
}
