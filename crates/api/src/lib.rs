//! The contract of qbo, shared by the server and every client: what can be said ([`command`], one grammar for
//! parsing and printing) and what comes back ([`message`], with the objects of [`model`]).
//!
//! Nothing here does I/O. A line travels `&str → Command` here, `Command → Outcome` in the server, and every
//! answer travels back as a [`message::Message`].

pub mod command;
pub mod components;
pub mod file;
pub mod grammar;
pub mod image;
pub mod label;
pub mod message;
pub mod model;
pub mod name;
pub mod registry;
pub mod settings;
pub mod terminal;
pub mod wanted;

/// The TCP port of the API where nothing else is configured.
pub const DEFAULT_PORT: u16 = 9601;

/// The path of the WebSocket channel.
pub const CHANNEL_PATH: &str = "/qbo";

/// The path of the WebSocket channel of terminals.
pub const TERMINAL_PATH: &str = "/terminal";

/// The header of the upgrade response in which the server names the connection, as [`message::Envelope::wsi`]
/// does in every message: a client that shares its mirror recognises by it the commands it sent itself.
pub const CONNECTION_HEADER: &str = "x-qbo-wsi";
