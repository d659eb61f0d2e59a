//! A node's files as one tar archive: what Docker takes to put them into a container that was never started.

use tar::{Builder, EntryType, Header};

use crate::{Contents, NodeFile};

/// The files as one tar archive to be unpacked at `/`, owned by root. The same files give the same bytes.
pub fn tar(files: &[NodeFile]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for file in files {
        append(&mut archive, file).expect("writing to memory does not fail");
    }
    archive.into_inner().expect("writing to memory does not fail")
}

fn append(archive: &mut Builder<Vec<u8>>, file: &NodeFile) -> std::io::Result<()> {
    let path = file.path.trim_start_matches('/');
    // Owner, group and time of a new header are zero.
    let mut header = Header::new_gnu();
    header.set_mode(file.mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    match &file.contents {
        Contents::File(bytes) => {
            header.set_size(bytes.len() as u64);
            archive.append_data(&mut header, path, bytes.as_slice())
        }
        Contents::Directory => {
            header.set_entry_type(EntryType::Directory);
            header.set_size(0);
            archive.append_data(&mut header, path, std::io::empty())
        }
        Contents::Link(target) => {
            header.set_entry_type(EntryType::Symlink);
            header.set_size(0);
            archive.append_link(&mut header, path, target)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn keeps_paths_modes_targets_and_bytes() {
        let long = format!("/etc/{}/file", "d".repeat(120));
        let files = [
            NodeFile { path: "/etc/kubernetes".to_owned(), mode: 0o755, contents: Contents::Directory },
            NodeFile { path: long, mode: 0o600, contents: Contents::File(b"secret".to_vec()) },
            NodeFile {
                path: "/var/link".to_owned(),
                mode: 0o777,
                contents: Contents::Link("/etc/kubernetes".to_owned()),
            },
        ];
        let bytes = tar(&files);
        let mut read = Vec::new();
        for entry in ::tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let (header, path) = (entry.header().clone(), format!("/{}", entry.path().unwrap().display()));
            assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 0));
            let contents = match header.entry_type() {
                EntryType::Directory => Contents::Directory,
                EntryType::Symlink => Contents::Link(entry.link_name().unwrap().unwrap().display().to_string()),
                _ => {
                    let mut bytes = Vec::new();
                    entry.read_to_end(&mut bytes).unwrap();
                    Contents::File(bytes)
                }
            };
            read.push(NodeFile { path, mode: header.mode().unwrap(), contents });
        }
        assert_eq!(read, files);
        assert_eq!(tar(&files), bytes);
    }
}
