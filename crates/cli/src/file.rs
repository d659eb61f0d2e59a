//! The file that a command line names: it is read here, since the server knows nothing of its clients' hosts, and goes beside the line.

use std::env;
use std::fs::File;
use std::io::{self, Read};

use qbo_api::command::Command;
use qbo_api::file::{ClusterFile, FILE_LIMIT, FileName};

use crate::failure::Failure;

/// The command with what its file says, and the text of that, where it names one.
pub(crate) fn attach(command: Command) -> Result<(Command, Option<String>), Failure> {
    let Some(name) = named(&command).cloned() else { return Ok((command, None)) };
    let text = read(&name)?;
    // Without a directory, which somebody may have deleted, relative paths are refused as everywhere else.
    let text = match env::current_dir() {
        Ok(directory) => ClusterFile::located(text, &directory),
        Err(_) => text,
    };
    let command = command
        .with_file(Some(&text))
        .map_err(|error| Failure::user(format!("{}: {}", name.as_str(), error.problem), error.cure))?;
    Ok((command, Some(text)))
}

fn named(command: &Command) -> Option<&FileName> {
    match command {
        Command::AddCluster(add) => add.file.as_ref(),
        _ => None,
    }
}

fn read(name: &FileName) -> Result<String, Failure> {
    let path = name.as_str();
    let read = |reader: &mut dyn Read| {
        let mut text = String::new();
        // One byte more than may be shows that it is too large.
        reader.take(FILE_LIMIT as u64 + 1).read_to_string(&mut text).map(|_| text)
    };
    let text = match path {
        "-" => read(&mut io::stdin().lock()),
        path => File::open(path).and_then(|mut file| read(&mut file)),
    };
    text.map_err(|error| {
        Failure::user(format!("'{path}' cannot be read: {error}"), "name a file with -f, or - for standard input")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attach_to(line: &str, text: Option<&str>) -> Result<(Command, Option<String>), Failure> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cluster.yaml");
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let line = line.replace("FILE", path.to_str().unwrap());
        attach(qbo_api::grammar::parse(&line).unwrap())
    }

    #[test]
    fn a_file_is_read_where_a_line_names_one() {
        let text = "kind: Cluster\napiVersion: qbo.io/v1\nname: alex\n";
        let (command, attached) = attach_to("add cluster -f FILE", Some(text)).unwrap();
        assert!(command.to_string().starts_with("add cluster alex -f "), "{command}");
        assert_eq!(attached.as_deref(), Some(text));
        assert_eq!(attach_to("version", None).unwrap().1, None);
    }

    #[test]
    fn relative_paths_of_the_host_are_of_the_directory_it_is_read_in() {
        let head = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n";
        let text = format!("{head}nodes: [{{extraMounts: [{{hostPath: ./data, containerPath: /data}}]}}]\n");
        let (_, attached) = attach_to("add cluster alex -f FILE", Some(&text)).unwrap();
        let whole = env::current_dir().unwrap().join("data");
        assert!(attached.unwrap().contains(&format!("hostPath: \"{}\"", whole.display())));
    }

    #[test]
    fn a_file_that_is_wrong_is_told_before_anything_is_sent() {
        let failure = attach_to("add cluster -f FILE", Some("kind: Pod\n")).unwrap_err();
        assert!(failure.problem.contains("cluster.yaml: 'Pod' of '' is no cluster"), "{failure:?}");
        assert!(attach_to("add cluster -f FILE", None).unwrap_err().problem.contains("cannot be read"));
        let large = "#".repeat(FILE_LIMIT + 10);
        assert!(attach_to("add cluster -f FILE", Some(&large)).unwrap_err().cure.contains("at most"));
    }
}
