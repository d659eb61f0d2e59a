//! Answers over UDP.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};

/// Answers every datagram with the text, for as long as the program runs.
pub(crate) fn serve_beside(port: u16, text: &str) -> io::Result<()> {
    // Of both families, but for kernels that have one.
    let socket =
        UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)).or_else(|_| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)))?;
    let text = text.to_owned();
    std::thread::spawn(move || {
        // What a question says is of no interest, so the rest of it may be lost.
        let mut question = [0; 1];
        while let Ok((_, asker)) = socket.recv_from(&mut question) {
            // One that has gone is nobody's business.
            let _ = socket.send_to(text.as_bytes(), asker);
        }
    });
    Ok(())
}
