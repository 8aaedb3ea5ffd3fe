use super::*;

fn end(port: u16) -> Endpoint {
    Endpoint { ip: [127, 0, 0, 1].into(), port }
}

const ADDRESS: u64 = 0xffff_8880_0000_1000;

fn ends() -> Ends {
    (end(40_000), end(3306))
}

fn stack_of(address: u64) -> Stack {
    Stack { addresses: vec![address], ..Stack::default() }
}

fn held(processes: &[i32]) -> Held<'_> {
    Held { processes, ..Held::default() }
}

struct Story {
    book: Book,
    at: u64,
}

impl Story {
    fn new() -> Story {
        Story { book: Book::default(), at: 0 }
    }

    fn event(&mut self, what: What, stack: u64) -> &mut Story {
        self.at += 1;
        let (at, stack) = (self.at, stack_of(stack));
        self.book.take(&Event { at, socket: ADDRESS, pid: 7, what, stack });
        self
    }

    fn connect(&mut self) -> &mut Story {
        let none = (end(0), end(3306));
        self.event(What::Connects { ends: none, descriptor: Some(3) }, 1);
        self.event(What::State { from: State::Other, to: State::Other, ends: ends() }, 0)
    }

    fn close_wait(&mut self) -> &mut Story {
        self.event(What::State { from: State::Other, to: State::CloseWait, ends: ends() }, 0)
    }

    fn sent(&mut self, octets: u32, stack: u64) -> &mut Story {
        self.event(What::Sent(octets), stack)
    }

    fn callers(&self, asked: Asked) -> Callers {
        self.book.callers(ends(), held(&[7]), &asked)
    }

    fn begun(&self, from: u64, to: u64, sent: Option<u64>) -> Option<Known> {
        let before_end = Span { from, to };
        let begun = Some(Sent { before_end, sent });
        self.callers(Asked { open: true, begun, ..Asked::default() }).begun
    }
}

fn by(known: &Option<Known>) -> Result<u64, Why> {
    match known {
        Some(Known::By(caller)) => Ok(caller.stack.addresses[0]),
        Some(Known::Unknown(why)) => Err(*why),
        None => panic!("nothing is said"),
    }
}

#[test]
fn the_sum_of_sends_is_the_sequence_number() {
    let mut story = Story::new();
    story.connect().sent(100, 2).sent(11, 3).sent(40, 4).close_wait();
    // BEGIN is octets 100 to 111 of 151.
    assert_eq!(by(&story.begun(51, 40, Some(151))), Ok(3));
    assert_eq!(by(&story.begun(40, 0, Some(151))), Ok(4));
    assert_eq!(by(&story.callers(Asked::default()).last), Ok(4));
    assert_eq!(story.callers(Asked::default()).begun, None, "no transaction is open");
    assert_eq!(story.callers(Asked::default()).connected, None, "something was sent since");
    // More was captured than was seen to be sent.
    assert_eq!(by(&story.begun(51, 40, Some(200))), Err(Why::Unfit));
}

#[test]
fn without_a_send_the_connect_is_what_is_known() {
    let mut story = Story::new();
    story.connect().close_wait();
    let callers = story.callers(Asked::default());
    assert_eq!((by(&callers.connected), callers.last), (Ok(1), None));
}

/// Armed midway, sends and capture are joined where both end.
#[test]
fn a_socket_that_was_there_before_is_joined_from_its_end() {
    let mut story = Story::new();
    story.sent(11, 3).sent(40, 4).close_wait();
    for sent in [None, Some(5_000)] {
        assert_eq!(by(&story.begun(51, 40, sent)), Ok(3));
        assert_eq!(by(&story.begun(62, 51, sent)), Err(Why::Unseen));
        // No send begins there: something is amiss, and nothing is said.
        assert_eq!(by(&story.begun(45, 40, sent)), Err(Why::Unfit));
    }
    assert_eq!(
        by(&story.callers(Asked { open: true, ..Asked::default() }).begun),
        Err(Why::NotCaptured)
    );
}

#[test]
fn nothing_is_known_of_a_socket_that_nothing_was_seen_of() {
    let story = Story::new();
    assert_eq!(by(&story.callers(Asked::default()).last), Err(Why::Unseen));
    assert_eq!(by(&story.begun(40, 0, Some(151))), Err(Why::Unseen));
}

/// A loss makes unknown whatever it could have changed, and nothing else.
#[test]
fn a_loss_makes_unknown_what_it_could_have_changed() {
    let mut story = Story::new();
    story.connect().sent(11, 3).sent(40, 4);
    story.book.lose(Loss::Sums, 1, story.at);
    story.close_wait();
    assert_eq!(by(&story.callers(Asked::default()).last), Err(Why::Lost));
    assert_eq!(by(&story.begun(51, 40, Some(51))), Err(Why::Lost));
    story.event(What::EndOfFile, 9);
    assert_eq!(by(&story.callers(Asked::default()).end_of_file), Ok(9), "it was seen");
    // Sends after it are joined from the end again.
    story.sent(5, 6);
    assert_eq!(by(&story.callers(Asked::default()).last), Ok(6));
    assert_eq!(by(&story.begun(5, 0, Some(56))), Ok(6));
    assert_eq!(by(&story.begun(56, 45, Some(56))), Err(Why::Lost));
}

/// A socket whose beginning is read only afterwards may be the one that lost something.
#[test]
fn a_loss_reaches_as_far_as_its_time() {
    let mut story = Story::new();
    story.book.lose(Loss::Sums, 1, 5);
    story.connect().close_wait();
    let callers = story.callers(Asked::default());
    assert_eq!((by(&callers.last), callers.connected), (Err(Why::Lost), None), "it may have sent");
    story.at = 5;
    story.connect().sent(11, 3).close_wait();
    assert_eq!(by(&story.begun(11, 0, Some(11))), Ok(3), "of after the loss");
}

#[test]
fn an_address_that_is_used_again_is_another_socket() {
    let mut story = Story::new();
    story.connect().sent(11, 3).event(What::EndOfFile, 9);
    // Its end was not seen.
    story.connect().close_wait();
    let callers = story.callers(Asked::default());
    assert_eq!((callers.last, callers.end_of_file), (None, None));
    let closed = What::State { from: State::CloseWait, to: State::Closed, ends: ends() };
    story.sent(11, 3).event(closed, 0);
    assert_eq!(by(&story.callers(Asked::default()).last), Err(Why::Unseen));
    assert!(story.book.sockets.is_empty() && story.book.by_ends.is_empty());
    assert!(story.book.unnamed.is_empty());
}

#[test]
fn octets_of_several_places_are_nobodys() {
    let mut story = Story::new();
    story.connect().sent(4, 3).sent(7, 4).close_wait();
    assert_eq!(by(&story.begun(11, 0, Some(11))), Err(Why::Several));
    assert_eq!(by(&story.begun(7, 0, Some(11))), Ok(4));
    let last = |from| {
        let sent = Some(Sent { before_end: Span { from, to: 0 }, sent: Some(11) });
        let asked = Asked { last: sent, statements: vec![sent], ..Asked::default() };
        story.book.callers(ends(), held(&[7]), &asked)
    };
    for (from, right) in [(11, Err(Why::Several)), (7, Ok(4))] {
        let callers = last(from);
        assert_eq!(by(&callers.last), right, "the last one is the same statement");
        assert_eq!(by(&callers.statements.first().cloned()), right);
    }
}

#[test]
fn sockets_with_the_same_ends_are_told_apart_by_who_holds_them() {
    let mut story = Story::new();
    story.connect().sent(11, 3).close_wait();
    let state = |from, to| What::State { from, to, ends: ends() };
    for what in [state(State::Other, State::CloseWait), What::Sent(5)] {
        let (at, socket) = (99, ADDRESS + 64);
        story.book.take(&Event { at, socket, pid: 8, what, stack: stack_of(5) });
    }
    assert_eq!(by(&story.book.callers(ends(), held(&[8]), &Asked::default()).last), Ok(5));
    assert_eq!(by(&story.book.callers(ends(), held(&[7]), &Asked::default()).last), Ok(3));
    assert_eq!(
        by(&story.book.callers(ends(), held(&[7, 8]), &Asked::default()).last),
        Err(Why::Twins)
    );
}

/// However many there are, memory has its bounds, and those that are stuck stay.
#[test]
fn memory_is_bounded() {
    let mut story = Story::new();
    story.connect().sent(11, 3).close_wait();
    for n in 0..2 * MAX_SOCKETS as u64 {
        story.at += 1;
        let (socket, what) = (n, What::Sent(1));
        story.book.take(&Event { at: story.at, socket, pid: 8, what, stack: stack_of(n) });
    }
    assert!(story.book.sockets.len() <= MAX_SOCKETS);
    assert_eq!(by(&story.callers(Asked::default()).last), Ok(3));
    for _ in 0..10 * MAX_SENDS {
        story.sent(1, 4);
    }
    assert_eq!(story.book.sockets[&ADDRESS].sends.len(), MAX_SENDS);
    let sent = 11 + 10 * MAX_SENDS as u64;
    assert_eq!(by(&story.begun(sent, sent - 11, Some(sent))), Err(Why::LongAgo));
}

/// A lost read could be of any socket; sends are as they were.
#[test]
fn a_lost_read_makes_only_reads_unknown() {
    let mut story = Story::new();
    story.connect().sent(100, 2).close_wait();
    story.book.lose(Loss::EndsOfFile, 3, story.at);
    let callers = story.callers(Asked::default());
    assert_eq!((by(&callers.last), by(&callers.end_of_file)), (Ok(2), Err(Why::Lost)));
    assert_eq!(story.book.lost, 3);
    story.event(What::EndOfFile, 9);
    assert_eq!(by(&story.callers(Asked::default()).end_of_file), Ok(9), "this one was seen");
    story.book.lose(Loss::Connects, 1, story.at);
    assert_eq!(by(&story.callers(Asked::default()).last), Ok(2));
}

/// Each statement of a transaction has its own send.
#[test]
fn statements_have_their_senders() {
    let mut story = Story::new();
    story.connect().sent(100, 2).sent(11, 3).sent(40, 4).sent(9, 5).close_wait();
    let sent = |from, to| Some(Sent { before_end: Span { from, to }, sent: Some(160) });
    let statements = vec![sent(60, 49), sent(49, 9), None, sent(9, 0)];
    let callers = story.callers(Asked { open: true, statements, ..Asked::default() });
    let all: Vec<_> = callers.statements.into_iter().map(|known| by(&Some(known))).collect();
    assert_eq!(all, [Ok(3), Ok(4), Err(Why::NotCaptured), Ok(5)]);
}

/// Two sockets of process 7 that have connected to the same peer, of which no event has told the ends.
fn two_unnamed() -> Story {
    let mut story = Story::new();
    let connects = |descriptor| What::Connects { ends: (end(0), end(3306)), descriptor };
    for (socket, descriptor, stack) in [(ADDRESS, 3, 10), (ADDRESS + 64, 4, 20)] {
        let what = [connects(Some(descriptor)), What::Sent(5), What::EndOfFile, What::EndOfFile];
        for (what, stack) in what.into_iter().zip(stack..) {
            story.at += 1;
            let (at, stack) = (story.at, stack_of(stack));
            story.book.take(&Event { at, socket, pid: 7, what, stack });
        }
    }
    story
}

/// The socket of an inode, where each descriptor has one.
fn asked(story: &Story, inode: u64, inodes: &[(u32, u64)]) -> Callers {
    let inode_of = |_, which| inodes.iter().find(|(it, _)| *it == which).map(|(_, inode)| *inode);
    let unnamed = story.book.unnamed(ends(), inode, &[7], inode_of);
    let held = Held { processes: &[7], inode, unnamed, ..Held::default() };
    story.book.callers(ends(), held, &Asked::default())
}

#[test]
fn a_socket_whose_ends_were_not_told_is_the_one_behind_its_descriptor() {
    let story = two_unnamed();
    for (inode, stack) in [(30, 10), (40, 20)] {
        let callers = asked(&story, inode, &[(3, 30), (4, 40)]);
        assert_eq!(by(&callers.last), Ok(stack + 1));
        assert_eq!(by(&callers.end_of_file), Ok(stack + 3), "the first may have had no room");
    }
    // Whichever was copied or closed, it could be either.
    for inodes in [&[(3, 30), (4, 30)][..], &[(3, 30)], &[(3, 50), (4, 60)], &[]] {
        assert_eq!(by(&asked(&story, 30, inodes).last), Err(Why::Unseen), "{inodes:?}");
    }
    let peer = (end(40_000), end(5432));
    assert_eq!(story.book.unnamed(peer, 30, &[7], |_, _| Some(30)), None, "to another peer");
    assert_eq!(story.book.unnamed(ends(), 30, &[8], |_, _| Some(30)), None, "another process");
}

#[test]
fn a_socket_whose_ends_are_told_is_no_other() {
    let mut story = two_unnamed();
    let inodes = [(3, 30), (4, 40)];
    story.close_wait();
    assert_eq!(by(&asked(&story, 40, &inodes).last), Ok(11), "by its ends alone");
    let closed = What::State { from: State::CloseWait, to: State::Closed, ends: ends() };
    story.event(closed, 0);
    // Its descriptor may have become another's since.
    assert_eq!(by(&asked(&story, 30, &inodes).last), Err(Why::Unseen));
    assert_eq!(by(&asked(&story, 40, &inodes[1..]).last), Ok(21));
    story.book.forget(ADDRESS + 64);
    assert!(story.book.unnamed.is_empty());
}

/// One descriptor that is not known makes all of a process to that peer nobody's.
#[test]
fn a_connect_through_an_unknown_descriptor_could_be_any() {
    let mut story = two_unnamed();
    let what = What::Connects { ends: (end(0), end(3306)), descriptor: None };
    let (at, socket, stack) = (90, ADDRESS + 128, stack_of(30));
    story.book.take(&Event { at, socket, pid: 7, what, stack });
    assert_eq!(by(&asked(&story, 30, &[(3, 30), (4, 40)]).last), Err(Why::Unseen));
}

/// A process that opens very many connections at once does not keep the others waiting.
#[test]
fn looks_at_descriptors_are_bounded() {
    let mut story = Story::new();
    let looks = |story: &Story| {
        let looks = std::cell::Cell::new(0);
        let inode_of = |_, which| {
            looks.set(looks.get() + 1);
            Some(u64::from(which))
        };
        (story.book.unnamed(ends(), 0, &[7], inode_of), looks.get())
    };
    for descriptor in 0..2 * unnamed::MOST_LOOKS as u32 {
        let socket = ADDRESS + u64::from(descriptor);
        let what = What::Connects { ends: (end(0), end(3306)), descriptor: Some(descriptor) };
        story.at += 1;
        let (at, stack) = (story.at, stack_of(1));
        story.book.take(&Event { at, socket, pid: 7, what, stack });
        let count = descriptor as usize + 1;
        if count == unnamed::MOST_LOOKS {
            assert_eq!(looks(&story), (Some(ADDRESS), count));
        }
    }
    assert_eq!(looks(&story), (None, unnamed::MOST_LOOKS));
}

/// Sends known by inodes: the state says when it began, the inode what was sent.
struct ByInode(Story);

const INODE: u64 = 4_711;

impl ByInode {
    fn new() -> ByInode {
        ByInode(Story { book: Book::by_inode(), at: 0 })
    }

    fn used(&mut self, what: What, stack: u64) -> &mut ByInode {
        self.0.at += 1;
        let (at, stack) = (self.0.at, stack_of(stack));
        self.0.book.take(&Event { at, socket: INODE, pid: 7, what, stack });
        self
    }

    fn callers(&self, doubted: u64, asked: Asked) -> Callers {
        let held = Held { processes: &[7], inode: INODE, doubted, unnamed: None };
        self.0.book.callers(ends(), held, &asked)
    }

    fn begun(&self, doubted: u64, from: u64, to: u64, sent: Option<u64>) -> Result<u64, Why> {
        let begun = Some(Sent { before_end: Span { from, to }, sent });
        by(&self.callers(doubted, Asked { open: true, begun, ..Asked::default() }).begun)
    }
}

#[test]
fn sends_by_inode_are_joined_with_the_state() {
    let mut story = ByInode::new();
    story.0.connect();
    story.used(What::Sent(100), 2).used(What::Sent(11), 3).used(What::Sent(40), 4);
    story.0.close_wait();
    story.used(What::EndOfFile, 9);
    assert_eq!(story.begun(0, 51, 40, Some(151)), Ok(3));
    let callers = story.callers(0, Asked::default());
    assert_eq!((by(&callers.last), by(&callers.end_of_file)), (Ok(4), Ok(9)));
    assert_eq!(callers.connected, None);
    // All of it, or it may be the wrong part.
    for sent in [150, 152] {
        assert_eq!(story.begun(0, 51, 40, Some(sent)), Err(Why::Unfit));
    }
    // Another socket has no sends.
    let held = Held { processes: &[7], inode: 1, ..Held::default() };
    let callers = story.0.book.callers(ends(), held, &Asked::default());
    assert_eq!((by(&callers.connected), callers.last), (Ok(1), None));
}

/// A send that may be missing makes unknown what it could have changed.
#[test]
fn a_doubt_about_descriptors_makes_sends_before_it_unknown() {
    let mut story = ByInode::new();
    story.0.connect();
    story.used(What::Sent(11), 3).used(What::Sent(40), 4);
    let doubted = story.0.at;
    assert_eq!(story.begun(doubted, 51, 40, Some(51)), Err(Why::Descriptors));
    assert_eq!(by(&story.callers(doubted, Asked::default()).last), Err(Why::Descriptors));
    story.used(What::Sent(5), 6);
    assert_eq!(by(&story.callers(doubted, Asked::default()).last), Ok(6));
    assert_eq!(story.begun(doubted, 5, 0, Some(56)), Ok(6));
    assert_eq!(story.begun(doubted, 56, 45, Some(56)), Err(Why::Descriptors));
    assert_eq!(story.begun(0, 56, 45, Some(56)), Ok(3));
}

/// A read that has no room comes back empty, too, and is no end-of-file.
#[test]
fn an_empty_read_before_the_end_is_none() {
    for by_inode in [false, true] {
        let mut story = ByInode::new();
        story.0.book.by_inode = by_inode;
        let socket = if by_inode { INODE } else { ADDRESS };
        let read = |story: &mut ByInode, stack| {
            story.0.at += 1;
            let (at, what, stack) = (story.0.at, What::EndOfFile, stack_of(stack));
            story.0.book.take(&Event { at, socket, pid: 7, what, stack });
        };
        story.0.connect();
        read(&mut story, 8);
        story.0.close_wait();
        assert_eq!(story.callers(0, Asked::default()).end_of_file, None);
        read(&mut story, 9);
        assert_eq!(by(&story.callers(0, Asked::default()).end_of_file), Ok(9));
    }
}

/// Closed ones go first; of one that went, nothing is said.
#[test]
fn what_was_forgotten_is_not_taken_for_nothing() {
    let mut story = ByInode::new();
    story.0.connect();
    story.used(What::Sent(11), 3).used(What::Closed, 0);
    for n in 0..2 * MAX_SOCKETS as u64 {
        story.0.at += 1;
        let (at, socket, stack) = (story.0.at, 10_000 + n, stack_of(5));
        story.0.book.take(&Event { at, socket, pid: 8, what: What::Sent(1), stack });
        story.0.book.take(&Event { at, socket, pid: 8, what: What::Closed, stack: stack_of(0) });
    }
    assert!(story.0.book.sockets.len() <= MAX_SOCKETS);
    story.0.close_wait();
    assert_eq!(by(&story.callers(0, Asked::default()).last), Err(Why::LongAgo));
    story.used(What::Sent(5), 6);
    assert_eq!(by(&story.callers(0, Asked::default()).last), Ok(6));
    assert_eq!(story.begun(0, 16, 5, Some(16)), Err(Why::LongAgo));
}
