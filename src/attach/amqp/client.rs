//! Methods of the client.

use super::frames::{Frame, METHOD, are_frames, size};
use super::method::Method;
use super::{Amqp, HEADER, Stage};
use crate::attach::begins_tls;
use crate::attach::facts::name;
use crate::place::Time;
use crate::tcp::stream::Piece;

/// Methods that may wait for their answers, on all channels.
const MAX_WAITING: usize = 64;

impl Amqp {
    pub(super) fn take_client(&mut self, at: Time, piece: Piece<'_>) {
        let is_first = !self.session.asked && self.session.is_beginning() && !self.lost;
        if piece != Piece::Missing(0) {
            self.session.spoke = Some(at);
        }
        match piece {
            Piece::Missing(0) if is_first => self.client.lose(),
            Piece::Missing(octets) => {
                let mut frames = core::mem::take(&mut self.client);
                if let Some(frame) = frames.miss(octets).map(Frame::from) {
                    self.client_frame(at, frame);
                }
                if frames.is_lost() {
                    self.lose_client();
                }
                self.client = frames;
            }
            Piece::Data(data) if is_first => self.begin_client(at, data),
            Piece::Data(data) => self.read_client(at, data),
        }
    }

    /// The first that the client says, or is seen to say.
    fn begin_client(&mut self, at: Time, data: &[u8]) {
        let awaited = HEADER.get(self.session.header..).unwrap_or_default();
        match data.strip_prefix(awaited) {
            Some(rest) => {
                (self.client, self.confirmed) = (Default::default(), Some(true));
                self.session.asked = true;
                self.read_client(at, rest);
            }
            None if begins_tls(data) => (self.encrypted, self.done) = (true, true),
            None if self.client.is_lost() => {
                self.lose_client();
                self.read_client(at, data);
            }
            // It comes in pieces, or was cut off: then what is missing says so.
            None if awaited.starts_with(data) => self.session.header += data.len(),
            None => self.reject(),
        }
    }

    fn read_client(&mut self, at: Time, mut data: &[u8]) {
        let mut frames = core::mem::take(&mut self.client);
        if frames.is_lost() && are_frames(data) {
            self.confirmed = Some(true);
            frames.find();
        }
        let was_lost = frames.is_lost();
        while let Some(frame) = frames.next(&mut data, size).map(Frame::from) {
            self.client_frame(at, frame);
        }
        if frames.is_lost() && !was_lost {
            self.lose_client();
        }
        self.client = frames;
    }

    fn lose_client(&mut self) {
        self.last = None;
        self.lose(true);
    }

    fn client_frame(&mut self, at: Time, frame: Frame<'_>) {
        if frame.kind != METHOD {
            return;
        }
        let Some(method) = Method::read(frame.body) else {
            if Method::is_cut(frame.body) {
                return self.lose_client();
            }
            (self.last, self.unsure) = (None, true);
            return;
        };
        // An answer to the server asks for nothing.
        if !method.name.ends_with("-ok") {
            (self.last, self.asks) = (Some((at, method.name)), method.asks());
        }
        self.channels.asked(frame.channel, at, &method);
        if method.asks() {
            self.unsure = false;
            if self.waiting.len() >= MAX_WAITING {
                self.waiting.remove(0);
            }
            self.waiting.push((frame.channel, method.name));
        }
        self.log_in(&method);
    }

    fn log_in(&mut self, method: &Method<'_>) {
        let session = &mut self.session;
        let mut arguments = method.arguments;
        match method.name {
            "connection.start-ok" => {
                session.stage = Stage::Answered;
                let all = arguments.table(|key, text| match key {
                    b"connection_name" => session.program = Some(name(text)),
                    b"product" => session.product = Some(name(text)),
                    _ => {}
                });
                if all.is_some() && session.program.is_none() {
                    // It has no name of its own.
                    session.program = session.product.clone();
                }
                let mechanism = all.and_then(|()| arguments.text());
                if mechanism == Some(b"PLAIN") {
                    // Nothing, a zero, the user, a zero, the password.
                    let mut response = arguments.0.get(4..).unwrap_or_default().split(|o| *o == 0);
                    let user = response.nth(1).filter(|_| response.next().is_some());
                    session.user = user.map(name);
                }
            }
            "connection.tune-ok" => {
                arguments.short();
                arguments.long();
                session.heartbeat = arguments.short();
            }
            "connection.open" => session.host = arguments.text().map(name),
            "connection.close" => self.goodbye = true,
            _ => {}
        }
    }
}
