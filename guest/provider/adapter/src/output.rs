//! What an answer looks like on stdout: byte for byte as `portolan` prints it.

use std::io::{ErrorKind, Write as _};

use portolan_oci::text;
use wasip2::cli::stdout::get_stdout;
use wasip2::cli::terminal_stdout::get_terminal_stdout;
use wasip2::io::streams::OutputStream;

use crate::bindings::portolan::oci::blobs;
use crate::bindings::portolan::oci::frontend::{Body, Response};
use crate::exit::Exit;

/// As much of a blob as is read at a time.
const PIECE: u32 = 1 << 20;

/// Prints an answer.
pub(crate) fn print(response: Response) -> Result<(), Exit> {
    let Response { media_type, body, .. } = response;
    let is_json = media_type == "application/json" || media_type.ends_with("+json");
    let mut out = Out { stream: get_stdout(), closed: false };
    match body {
        Body::Text(text) => {
            let text = if is_json { text::json(&text) } else { text::block(&text) };
            out.write(text.as_bytes())?;
            if !text.is_empty() && !text.ends_with('\n') {
                out.write(b"\n")?;
            }
        }
        Body::Bytes(bytes) => out.content(&bytes)?,
        Body::Content((repository, descriptor)) => {
            let mut offset = 0;
            while offset < descriptor.size && !out.closed {
                let piece = blobs::read(&repository, &descriptor, offset, PIECE)?;
                if piece.is_empty() {
                    return Err(Exit::failure(format!("cannot read {}: it ends early", descriptor.digest)));
                }
                offset += piece.len() as u64;
                out.content(&piece)?;
            }
        }
    }
    out.flush()
}

/// Prints what the program itself has to say.
pub(crate) fn own(text: &str) -> Result<(), Exit> {
    let mut out = Out { stream: get_stdout(), closed: false };
    out.write(text::block(text).as_bytes())?;
    out.flush()
}

struct Out {
    stream: OutputStream,
    /// A reader that has seen enough (`| head`) is no failure.
    closed: bool,
}

impl Out {
    /// Bytes are somebody's content: a file or a program gets them as they are, a terminal gets them harmless.
    fn content(&mut self, bytes: &[u8]) -> Result<(), Exit> {
        match get_terminal_stdout() {
            Some(_) => self.write(text::block(&String::from_utf8_lossy(bytes)).as_bytes()),
            None => self.write(bytes),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Exit> {
        if self.closed {
            return Ok(());
        }
        let written = self.stream.write_all(bytes);
        self.ended(written)
    }

    fn flush(&mut self) -> Result<(), Exit> {
        if self.closed {
            return Ok(());
        }
        let flushed = std::io::Write::flush(&mut self.stream);
        self.ended(flushed)
    }

    fn ended(&mut self, done: std::io::Result<()>) -> Result<(), Exit> {
        match done.map_err(|error| (error.kind(), error)) {
            Ok(()) => Ok(()),
            Err((ErrorKind::WriteZero | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe, _)) => {
                self.closed = true;
                Ok(())
            }
            Err((_, error)) => Err(Exit::failure(format!("cannot write the answer: {error}"))),
        }
    }
}
