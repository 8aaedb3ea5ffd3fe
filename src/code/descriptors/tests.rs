use super::*;

const NEVER: u64 = u64::MAX;

/// Calls as they come, and what a look at a descriptor finds.
#[derive(Default)]
struct Story {
    all: Descriptors,
    /// The time of looks.
    now: u64,
    looks: usize,
}

const PID: u32 = 7;

impl Story {
    fn did(&mut self, at: u64, thread: u32, did: Did, link: Link) -> Heard {
        self.of(PID, at, thread, did, link)
    }

    fn of(&mut self, pid: u32, at: u64, thread: u32, did: Did, link: Link) -> Heard {
        let call = Call { at, pid, thread, did, stack: Stack::default() };
        let (looks, now) = (&mut self.looks, self.now);
        self.all.hear(call, |_, _| {
            *looks += 1;
            Found { link, at: now }
        })
    }

    /// A send from its beginning to its return, on a descriptor that is found to be this.
    fn sent(&mut self, pid: u32, (from, to): (u64, u64), which: u32, link: Link) -> Use {
        self.of(pid, from, pid, Did::Sends(which), Link::Gone);
        match self.of(pid, to, pid, Did::Sent(10), link) {
            Heard::Used(used) => used,
            other => panic!("{other:?}"),
        }
    }

    fn closed(&mut self, (from, to): (u64, u64), thread: u32, which: u32) {
        self.did(from, thread, Did::Ends(Some(which)), Link::Gone);
        self.did(to, thread, Did::Done(None), Link::Gone);
    }

    fn doubted(&self, inode: u64) -> u64 {
        self.all.doubted_until(inode, &[PID as i32])
    }
}

const A: Link = Link::Socket(100);
const B: Link = Link::Socket(200);

#[test]
fn a_send_is_its_sockets_once_all_before_the_look_is_heard() {
    let mut story = Story { now: 50, ..Story::default() };
    let first = story.sent(PID, (10, 12), 5, A);
    assert_eq!(story.all.settle(&first, 40), Settled::NotYet);
    assert_eq!(story.all.settle(&first, 50), Settled::Socket(100));
    // It is known from then on.
    let second = story.sent(PID, (60, 62), 5, B);
    assert_eq!((story.looks, story.all.settle(&second, 62)), (1, Settled::Socket(100)));
    assert_eq!(story.doubted(100), 0);
}

/// A descriptor that is closed and given again is another socket.
#[test]
fn a_descriptor_that_is_given_again_is_looked_at_again() {
    let mut story = Story { now: 50, ..Story::default() };
    let first = story.sent(PID, (10, 12), 5, A);
    assert_eq!(story.all.settle(&first, 60), Settled::Socket(100));
    assert!(matches!(story.did(70, 1, Did::Ends(Some(5)), Link::Gone), Heard::Ends(100)));
    story.did(72, 1, Did::Done(None), Link::Gone);
    story.now = 100;
    let second = story.sent(PID, (80, 82), 5, B);
    assert_eq!(story.all.settle(&second, 100), Settled::Socket(200));
    assert_eq!((story.looks, story.doubted(200)), (2, 0));
}

/// It was closed before anybody looked, and what was found is the next one's.
#[test]
fn a_descriptor_that_was_given_again_before_the_look_is_nobodys() {
    let mut story = Story { now: 50, ..Story::default() };
    let first = story.sent(PID, (10, 12), 5, B);
    story.closed((20, 22), 1, 5);
    let second = story.sent(PID, (30, 32), 5, B);
    assert_eq!(story.all.settle(&first, 60), Settled::Nobody);
    assert_eq!(story.all.settle(&second, 60), Settled::Socket(200));
    assert_eq!(story.doubted(200), 0, "its socket is closed");
}

/// As above, but a copy of it may be open still.
#[test]
fn a_closed_descriptor_that_was_copied_leaves_a_doubt() {
    let copies = [Did::Copies(5), Did::Copies(4), Did::Replaces { copied: 4, ended: 5 }];
    for (copy, made) in copies.into_iter().zip([9, 5, 5]) {
        // Of before the send, and of after.
        for at in [5, 15] {
            let mut story = Story { now: 50, ..Story::default() };
            let copy = |story: &mut Story| {
                story.did(at, 1, copy, Link::Gone);
                story.did(at + 1, 1, Did::Done(Some(made)), B);
            };
            if at < 10 {
                copy(&mut story);
            }
            let first = story.sent(PID, (10, 12), 5, Link::Gone);
            if at > 10 {
                copy(&mut story);
            }
            story.closed((20, 22), 1, 5);
            assert_eq!(story.all.settle(&first, 60), Settled::Nobody);
            assert_eq!((story.doubted(200), story.doubted(100)), (12, 0), "{at}");
        }
    }
}

/// A copy that nobody saw may have been of any socket; a file's was of none.
#[test]
fn copies_of_files_leave_no_doubt() {
    for (link, until) in [(Link::Other, 0), (Link::Gone, 12)] {
        let mut story = Story { now: 50, ..Story::default() };
        story.did(5, 1, Did::Copies(4), Link::Gone);
        story.did(6, 1, Did::Done(Some(5)), link);
        let first = story.sent(PID, (10, 12), 5, Link::Gone);
        story.closed((20, 22), 1, 5);
        assert_eq!(story.all.settle(&first, 60), Settled::Nobody);
        assert_eq!((story.doubted(200), story.all.doubted_until(200, &[8])), (until, 0));
        // The number's next one is no copy.
        let next = story.sent(PID, (70, 72), 5, Link::Gone);
        assert_eq!(story.all.settle(&next, 80), Settled::Nobody);
        assert_eq!(story.doubted(200), until);
    }
}

/// Many connections one after the other, each with the same number, before anybody looks.
#[test]
fn a_descriptor_that_is_given_again_and_again_leaves_no_doubt() {
    let mut story = Story { now: 1_000, ..Story::default() };
    let rounds = 3 * MOST_ENDS as u64;
    let mut all: Vec<Use> = Vec::new();
    for at in (0..rounds).map(|round| 10 * (round + 1)) {
        all.push(story.sent(PID, (at, at + 1), 5, B));
        story.closed((at + 2, at + 3), 1, 5);
    }
    all.push(story.sent(PID, (900, 901), 5, B));
    let last = all.pop().expect("one");
    assert!(all.iter().all(|used| story.all.settle(used, NEVER) == Settled::Nobody));
    assert_eq!((story.all.settle(&last, NEVER), story.doubted(200)), (Settled::Socket(200), 0));
}

/// A copy in the place of a descriptor is another socket.
#[test]
fn a_descriptor_that_is_replaced_is_looked_at_again() {
    let mut story = Story { now: 50, ..Story::default() };
    let first = story.sent(PID, (10, 12), 5, A);
    story.did(60, 1, Did::Replaces { copied: 6, ended: 5 }, Link::Gone);
    story.did(62, 1, Did::Done(Some(5)), B);
    story.now = 90;
    let second = story.sent(PID, (70, 72), 5, B);
    assert_eq!(story.all.settle(&first, 90), Settled::Socket(100));
    assert_eq!(story.all.settle(&second, 90), Settled::Socket(200));
}

/// A send that another thread's close overtakes may have been to the socket of before, or of after.
#[test]
fn a_send_across_an_end_is_nobodys() {
    let mut story = Story { now: 50, ..Story::default() };
    story.did(10, 1, Did::Sends(5), Link::Gone);
    story.closed((12, 14), 2, 5);
    let Heard::Used(used) = story.did(20, 1, Did::Sent(10), B) else { panic!("it is one") };
    assert_eq!(story.all.settle(&used, 60), Settled::Nobody);
    assert_eq!(story.doubted(200), 20);
    // What comes after it is certain.
    let next = story.sent(PID, (70, 72), 5, B);
    assert_eq!(story.all.settle(&next, 80), Settled::Socket(200));
}

/// A look within a close may find either.
#[test]
fn a_look_within_an_end_does_not_hold() {
    let mut story = Story { now: 50, ..Story::default() };
    let first = story.sent(PID, (10, 12), 5, A);
    story.closed((40, 60), 2, 5);
    assert_eq!(story.all.settle(&first, 70), Settled::Nobody);
    story.now = 90;
    let second = story.sent(PID, (70, 72), 5, B);
    assert_eq!((story.looks, story.all.settle(&second, 90)), (2, Settled::Socket(200)));
}

#[test]
fn a_send_whose_beginning_was_not_heard_leaves_a_doubt() {
    let mut story = Story::default();
    assert!(matches!(story.did(10, 1, Did::Sent(10), A), Heard::Nothing));
    assert_eq!(story.doubted(100), 10);
    story.did(20, 1, Did::Unheard, Link::Gone);
    assert_eq!(story.doubted(100), 20 + UNHEARD_NS);
}

/// A child that sends through a copy, and is gone before anybody looks.
#[test]
fn a_child_that_is_gone_leaves_a_doubt_on_what_it_had_a_copy_of() {
    let mut story = Story { now: 50, ..Story::default() };
    let first = story.sent(PID, (10, 12), 5, A);
    assert_eq!(story.all.settle(&first, 60), Settled::Socket(100));
    story.did(70, 1, Did::Starts { child: 8, shares: false }, Link::Gone);
    story.now = 90;
    let by_child = story.sent(8, (80, 82), 5, Link::Gone);
    assert_eq!(story.all.settle(&by_child, 100), Settled::Nobody);
    assert_eq!((story.doubted(100), story.doubted(200)), (82, 0));
    // One that is there still is looked at.
    let by_child = story.sent(8, (110, 112), 5, A);
    assert_eq!(story.all.settle(&by_child, NEVER), Settled::Socket(100));
}

/// Another program, or a new process of the same number, has descriptors of its own.
#[test]
fn a_process_that_begins_anew_is_looked_at_again() {
    let begins = [(PID, Did::Ends(None)), (1, Did::Starts { child: PID, shares: false })];
    for (pid, did) in begins {
        let mut story = Story { now: 50, ..Story::default() };
        let first = story.sent(PID, (10, 12), 5, A);
        assert_eq!(story.all.settle(&first, 60), Settled::Socket(100));
        story.of(pid, 70, 3, did, Link::Gone);
        // Whichever thread it goes on as.
        story.of(pid, 72, 4, Did::Done(None), Link::Gone);
        story.now = 90;
        let second = story.sent(PID, (80, 82), 5, B);
        assert_eq!(story.all.settle(&second, 90), Settled::Socket(200), "{did:?}");
    }
}

#[test]
fn processes_that_share_a_table_are_not_followed() {
    let mut story = Story { now: 50, ..Story::default() };
    story.did(5, 1, Did::Starts { child: 8, shares: true }, Link::Gone);
    story.of(9, 5, 1, Did::Parts, Link::Gone);
    for pid in [PID, 8, 9] {
        let used = story.sent(pid, (10, 12), 5, A);
        assert_eq!(story.all.settle(&used, 60), Settled::Nobody);
        assert_eq!(story.all.doubted_until(100, &[pid as i32]), 12);
    }
}

/// A read can have begun long before it comes back: on what the descriptor was then.
#[test]
fn an_empty_read_soon_after_an_end_is_nobodys() {
    let mut story = Story { now: 50, ..Story::default() };
    story.closed((20, 22), 1, 5);
    let mut read = |at: u64| {
        story.now = at + 10;
        let Heard::Used(used) = story.did(at, 2, Did::Empty(5), B) else { panic!("it is one") };
        story.all.settle(&used, NEVER)
    };
    assert_eq!(read(READ_NS), Settled::Nobody);
    assert_eq!(read(2 * READ_NS), Settled::Socket(200));
    assert_eq!(story.doubted(200), 0);
}

/// After a loss nothing of before is believed.
#[test]
fn after_a_loss_descriptors_are_looked_at_again() {
    let mut story = Story { now: 50, ..Story::default() };
    let first = story.sent(PID, (10, 12), 5, A);
    assert_eq!(story.all.settle(&first, 60), Settled::Socket(100));
    story.all.lose(100);
    story.now = 90;
    let across = story.sent(PID, (80, 82), 5, B);
    assert_eq!(story.all.settle(&across, NEVER), Settled::Nobody);
    story.now = 130;
    let after = story.sent(PID, (120, 122), 5, B);
    assert_eq!(story.all.settle(&after, NEVER), Settled::Socket(200));
}

/// However many there are, memory has its bounds; and what was forgotten is not believed.
#[test]
fn memory_is_bounded() {
    let mut story = Story { now: 50, ..Story::default() };
    for n in 0..2 * MOST as u32 {
        let at = 100 + u64::from(n);
        story.of(n, at, n, Did::Sends(5), Link::Gone);
        story.of(n, at, n, Did::Ends(Some(5)), Link::Gone);
        story.of(n, at, n, Did::Starts { child: n + 1, shares: true }, Link::Gone);
        story.of(n, at, n, Did::Unheard, Link::Gone);
    }
    let Descriptors { begun, all, processes, parents, sharing, doubted, horizon, .. } = &story.all;
    let many = [begun.len(), all.len(), processes.len(), parents.len(), sharing.len()];
    assert!(many.into_iter().chain([doubted.len()]).all(|many| many <= MOST + 1), "{many:?}");
    assert!(*horizon > 100);
    let at = 100 + 2 * MOST as u64;
    story.now = at;
    for _ in 0..3 * MOST_ENDS as u64 {
        story.closed((at, at), 1, 5);
    }
    assert_eq!(story.all.all[&(PID, 5)].ends.0.len(), MOST_ENDS);
    let across = story.sent(PID, (at - 1, at + 1), 5, B);
    assert_eq!(story.all.settle(&across, NEVER), Settled::Nobody);
}
