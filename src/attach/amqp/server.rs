//! Methods of the server.

use super::frames::{Frame, METHOD, are_frames, begins_with_start, size};
use super::method::{Arguments, Method};
use super::{Amqp, Stage};
use crate::attach::facts::name;
use crate::attach::sql::message::without_values;
use crate::attach::{ErrorCode, ServerError};
use crate::place::Time;
use crate::printable::printable;
use crate::tcp::stream::Piece;

impl Amqp {
    pub(super) fn take_server(&mut self, at: Time, piece: Piece<'_>) {
        let is_first = self.session.stage == Stage::Header && !self.lost;
        match piece {
            Piece::Missing(0) if is_first => self.server.lose(),
            Piece::Missing(octets) => {
                let mut frames = core::mem::take(&mut self.server);
                if let Some(frame) = frames.miss(octets).map(Frame::from) {
                    self.server_frame(at, frame);
                }
                if frames.is_lost() {
                    self.lose(true);
                }
                self.server = frames;
            }
            // It names the version that it speaks, and closes.
            Piece::Data([b'A', b'M', b'Q', b'P', ..]) if is_first => {
                (self.session.stage, self.confirmed) = (Stage::Denied, Some(true));
            }
            Piece::Data(data) => self.read_server(at, data),
        }
    }

    fn read_server(&mut self, at: Time, mut data: &[u8]) {
        let mut frames = core::mem::take(&mut self.server);
        if frames.is_lost() && are_frames(data) {
            self.confirmed = Some(true);
            frames.find();
            if self.session.stage == Stage::Header && !begins_with_start(data) {
                // The capture begins in the middle.
                self.lose(true);
            }
        }
        let was_lost = frames.is_lost();
        while let Some(frame) = frames.next(&mut data, size).map(Frame::from) {
            self.server_frame(at, frame);
        }
        if frames.is_lost() {
            if self.confirmed.is_none() && !was_lost {
                return self.reject();
            }
            if !was_lost || self.session.stage == Stage::Header {
                self.lose(true);
            }
            // It may answer what was asked since.
            self.unsure = true;
        }
        self.server = frames;
    }

    fn server_frame(&mut self, at: Time, frame: Frame<'_>) {
        if frame.kind != METHOD {
            return;
        }
        let Some(method) = Method::read(frame.body) else {
            if Method::is_cut(frame.body) {
                return self.lose(true);
            }
            self.unsure = true;
            if self.session.stage != Stage::Open {
                self.session.stage = Stage::Unknown;
            }
            return;
        };
        match method.name {
            "basic.deliver" => self.delivers = true,
            // Perhaps of the only consumer; of another, it will be seen again.
            "basic.cancel" | "basic.cancel-ok" | "channel.close" | "channel.close-ok" => {
                self.delivers = false;
            }
            _ => {}
        }
        self.answer(frame.channel, method.name);
        if !self.lost {
            self.channels.answered(frame.channel, at, &method);
        }
        self.session_is(&method);
    }

    /// Answers the request that waits for it on its channel.
    fn answer(&mut self, channel: u16, name: &str) {
        if self.unsure && name.ends_with("-ok") {
            // It answers something that came after what was refused, seen or not.
            self.error = None;
        }
        if channel > 0 {
            // There are channels once the connection is open, whether that was seen or not.
            self.waiting.retain(|(_, asked)| *asked != "connection.open");
        }
        match name {
            _ if self.waiting.is_empty() => {}
            "connection.close" => self.waiting.clear(),
            "channel.close" => self.waiting.retain(|(of, _)| *of != channel),
            _ => {
                let answers = |asked: &str| match asked {
                    "connection.start-ok" => {
                        ["connection.secure", "connection.tune"].contains(&name)
                    }
                    "basic.get" => ["basic.get-ok", "basic.get-empty"].contains(&name),
                    asked => name.strip_suffix("-ok") == Some(asked),
                };
                let found =
                    self.waiting.iter().position(|(of, asked)| *of == channel && answers(asked));
                if let Some(found) = found {
                    self.waiting.remove(found);
                    self.error = None;
                }
            }
        }
    }

    fn session_is(&mut self, method: &Method<'_>) {
        let mut arguments = method.arguments;
        match method.name {
            "connection.start" => {
                self.session.stage = self.session.stage.max(Stage::Greeted);
                let (mut product, mut version) = (None, None);
                arguments.short();
                arguments.table(|key, text| match key {
                    b"product" => product = Some(name(text)),
                    b"version" => version = Some(name(text)),
                    _ => {}
                });
                self.session.server = match (product, version) {
                    (Some(product), Some(version)) => Some(format!("{product} {version}").into()),
                    (product, version) => product.or(version),
                };
            }
            "connection.open-ok" => self.session.stage = Stage::Open,
            "connection.close" => {
                if self.session.stage < Stage::Denied {
                    self.session.stage = Stage::Denied;
                }
                self.error = refusal(arguments, true);
            }
            "channel.close" => self.error = refusal(arguments, false),
            "connection.blocked" => self.blocked = true,
            "connection.unblocked" => self.blocked = false,
            _ => {}
        }
    }
}

/// Reads the code and the text of a close; names in it are hidden.
fn refusal(mut arguments: Arguments<'_>, unsolicited: bool) -> Option<Box<ServerError>> {
    let code = arguments.short()?;
    let rest = arguments.0.get(1..).unwrap_or_default();
    let (text, end) = arguments.text().map_or((rest, "…"), |text| (text, ""));
    let text = without_values(&printable(&String::from_utf8_lossy(text)));
    let message = format!("{text}{end}").into();
    Some(Box::new(ServerError {
        code: ErrorCode::Number(code.into()),
        sqlstate: None,
        message,
        unsolicited,
    }))
}
