//! Names to addresses of both families by RFC 1035 and RFC 3596, over UDP. A question goes out from a new port each time: one that was lost is not
//! held against the next by the kernel's connection tracking.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// Between a question and the next, and how many there are: enough for an answer that is to be had.
const PATIENCE: Duration = Duration::from_secs(1);
const TRIES: usize = 10;

const TYPE_A: [u8; 2] = [0, 1];
const TYPE_AAAA: [u8; 2] = [0, 28];
const CLASS_INTERNET: [u8; 2] = [0, 1];
const HEADER: usize = 12;
/// Without extensions no answer over UDP is larger (RFC 1035, section 2.3.4).
const LARGEST: usize = 512;

/// What a pod's `/etc/resolv.conf` says.
pub(crate) struct Resolver {
    server: IpAddr,
    search: Vec<String>,
}

impl Resolver {
    /// The resolver of the pod this runs in.
    pub(crate) fn of_pod() -> io::Result<Self> {
        Self::parse(&std::fs::read_to_string("/etc/resolv.conf")?)
    }

    fn parse(text: &str) -> io::Result<Self> {
        let (mut server, mut search) = (None, Vec::new());
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => server = server.or_else(|| words.next()?.parse().ok()),
                Some("search") => search = words.map(str::to_owned).collect(),
                _ => {}
            }
        }
        let server = server.ok_or_else(|| io::Error::other("/etc/resolv.conf names no server"))?;
        Ok(Self { server, search })
    }

    /// The addresses of a name, those of IPv4 first; it is tried with every search domain and then as it is.
    pub(crate) fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let domains = self.search.iter().map(|domain| format!("{name}.{domain}"));
        let mut outcome = Err(io::Error::other("no name"));
        for full in domains.chain([name.to_owned()]) {
            outcome = self.ask(&full);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// One question for addresses of IPv4, one wait for its answer.
    pub(crate) fn ask_once(&self, name: &str, patience: Duration) -> io::Result<IpAddr> {
        self.question(name, TYPE_A, patience)
    }

    fn question(&self, name: &str, kind: [u8; 2], patience: Duration) -> io::Result<IpAddr> {
        let any = if self.server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any)?;
        socket.set_read_timeout(Some(patience))?;
        socket.connect(SocketAddr::new(self.server, 53))?;
        // Its own port tells an answer apart; so does the id.
        let id = socket.local_addr()?.port().to_be_bytes();
        socket.send(&question(id, name, kind))?;
        let mut answer = [0; LARGEST];
        let length = socket.recv(&mut answer)?;
        address(id, kind, &answer[..length]).map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))
    }

    /// An address of each family that the name has one of.
    fn ask(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let mut found = Vec::new();
        let mut missing = None;
        for kind in [TYPE_A, TYPE_AAAA] {
            match self.ask_patiently(name, kind) {
                Ok(address) => found.push(address),
                Err(error) if error.kind() == io::ErrorKind::NotFound => missing = Some(error),
                Err(error) => return Err(error),
            }
        }
        match missing {
            Some(error) if found.is_empty() => Err(error),
            _ => Ok(found),
        }
    }

    /// What is lost is asked again; what does not exist is not.
    fn ask_patiently(&self, name: &str, kind: [u8; 2]) -> io::Result<IpAddr> {
        let mut outcome = self.question(name, kind, PATIENCE);
        for _ in 1..TRIES {
            match &outcome {
                Err(error) if error.kind() != io::ErrorKind::NotFound => outcome = self.question(name, kind, PATIENCE),
                _ => break,
            }
        }
        outcome
    }
}

fn question(id: [u8; 2], name: &str, kind: [u8; 2]) -> Vec<u8> {
    let recursion_desired = [1, 0];
    let counts = [0, 1, 0, 0, 0, 0, 0, 0];
    let mut message = [&id[..], &recursion_desired, &counts].concat();
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    message.extend_from_slice(&[kind, CLASS_INTERNET].concat());
    message
}

/// The first address of this type in an answer.
fn address(id: [u8; 2], kind: [u8; 2], message: &[u8]) -> io::Result<IpAddr> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "not an answer to the question");
    let header = message.get(..HEADER).filter(|header| header[..2] == id).ok_or_else(malformed)?;
    match header[3] & 0x0f {
        0 => {}
        3 => return Err(io::Error::new(io::ErrorKind::NotFound, "there is no such name")),
        code => return Err(io::Error::other(format!("the server answers with code {code}"))),
    }
    let answers = u16::from_be_bytes([header[6], header[7]]);
    let mut at = after_name(message, HEADER).ok_or_else(malformed)? + 4;
    for _ in 0..answers {
        // A record: name, type 2, class 2, time to live 4, length 2, data.
        at = after_name(message, at).ok_or_else(malformed)?;
        let fixed = message.get(at..at + 10).ok_or_else(malformed)?;
        let length = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let data = message.get(at + 10..at + 10 + length).ok_or_else(malformed)?;
        if fixed[..2] == kind {
            return octets(data).ok_or_else(malformed);
        }
        at += 10 + length;
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"))
}

fn octets(data: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(data).map(|octets| Ipv4Addr::from(octets).into());
    v4.or_else(|_| <[u8; 16]>::try_from(data).map(|octets| Ipv6Addr::from(octets).into())).ok()
}

/// Where a name ends: at its empty label, or behind a pointer (section 4.1.4).
fn after_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length if length & 0xc0 == 0xc0 => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 2] = [7, 8];

    fn answer(code: u8, records: &[&[u8]]) -> Vec<u8> {
        let mut message = question(ID, "web.default", TYPE_A);
        message[3] = code;
        message[7] = u8::try_from(records.len()).unwrap();
        message.extend(records.concat());
        message
    }

    #[test]
    fn the_pods_resolver_is_read() {
        let text = "search default.svc.cluster.local svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n";
        let resolver = Resolver::parse(text).unwrap();
        assert_eq!(resolver.server.to_string(), "10.96.0.10");
        assert_eq!(resolver.search, ["default.svc.cluster.local", "svc.cluster.local"]);
    }

    #[test]
    fn an_address_is_found_behind_an_alias() {
        let alias = [0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 30, 0, 2, 0xc0, 12];
        let address_record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 96, 0, 1];
        let message = answer(0, &[&alias, &address_record]);
        assert_eq!(address(ID, TYPE_A, &message).unwrap().to_string(), "10.96.0.1");
        assert_eq!(address(ID, TYPE_AAAA, &message).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn an_address_of_the_other_family_is_found() {
        let record = [&[0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 30, 0, 16, 0xfd][..], &[0; 14], &[1]].concat();
        let message = answer(0, &[&record]);
        assert_eq!(address(ID, TYPE_AAAA, &message).unwrap().to_string(), "fd00::1");
    }

    #[test]
    fn what_is_no_answer_is_told() {
        assert_eq!(address(ID, TYPE_A, &answer(3, &[])).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(address(ID, TYPE_A, &answer(0, &[])).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(address(ID, TYPE_A, &answer(2, &[])).unwrap_err().to_string(), "the server answers with code 2");
        let message = answer(0, &[&[0xc0, 12, 0, 1]]);
        for end in 0..message.len() {
            assert!(address(ID, TYPE_A, &message[..end]).is_err());
        }
        assert_eq!(address([0, 0], TYPE_A, &message).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
