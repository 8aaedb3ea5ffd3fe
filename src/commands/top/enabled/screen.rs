//! The terminal: drawn on while this runs, and afterwards as it was, however this ends.

use std::io::{self, Stdout, Write};
use std::mem::ManuallyDrop;
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ratatui_core::terminal::Terminal;
use ratatui_crossterm::CrosstermBackend;
use ratatui_crossterm::crossterm::cursor::{Hide, Show};
use ratatui_crossterm::crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use ratatui_crossterm::crossterm::execute;
use ratatui_crossterm::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use crate::top::app::App;
use crate::top::draw::draw;

/// The terminal, drawn on. Dropped, it is as it was.
pub struct Screen {
    /// Never dropped: it would complain, on a terminal that may be gone, and [`leave`] does what it does.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<Stdout>>>,
}

impl Screen {
    /// Begins to draw.
    ///
    /// # Errors
    /// If the terminal does not do what it is told.
    pub fn enter() -> io::Result<Screen> {
        restore_on_panic();
        enable_raw_mode()?;
        IS_DRAWN_ON.store(true, Ordering::SeqCst);
        let entered = execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture, Hide);
        // The guard is there before anything else can fail.
        let screen = Terminal::new(CrosstermBackend::new(io::stdout()));
        match entered.and(screen) {
            Ok(terminal) => Ok(Screen { terminal: ManuallyDrop::new(terminal) }),
            Err(error) => {
                leave();
                Err(error)
            }
        }
    }

    /// Returns its columns and lines.
    ///
    /// # Errors
    /// If the terminal does not say.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        self.terminal.size().map(|size| (size.width, size.height))
    }

    /// Draws what has changed.
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn draw(&mut self, app: &App) -> io::Result<()> {
        self.terminal.draw(|frame| draw(app, frame.buffer_mut())).map(drop)
    }

    /// Puts a line on the clipboard of whoever looks at the terminal (OSC 52, xterm's control sequences).
    ///
    /// # Errors
    /// If the terminal is gone.
    pub fn copy(&mut self, line: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        write!(out, "\x1b]52;c;{}\x07", BASE64_STANDARD.encode(line))?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// The terminal is drawn on: a panic and the end of the screen may both find it so, and a terminal that is left
/// twice writes over what was said in between.
static IS_DRAWN_ON: AtomicBool = AtomicBool::new(false);

/// Makes the terminal as it was. There is nobody left to tell where that fails.
fn leave() {
    if !IS_DRAWN_ON.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = execute!(io::stdout(), DisableMouseCapture, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}

/// Has a panic, of whatever thread, say what it says where it can be read.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            leave();
            before(panic);
        }));
    });
}
