//! Puts the web console into the program, where its feature is on: a table of the files that `web/build` made.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Beside a file, in its place for clients that know these encodings.
const ENCODINGS: [&str; 2] = ["br", "gz"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let manifest = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let output = env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    let mut table = "&[\n".to_owned();
    if env::var_os("CARGO_FEATURE_CONSOLE").is_some() {
        let console = manifest.join("../../web/dist");
        println!("cargo::rerun-if-changed={}", console.display());
        if console.join("index.html").is_file() {
            add(&mut table, &console.canonicalize()?, "")?;
        } else {
            println!(
                "cargo::error=the console is not built: run web/build (it needs node and npm), or leave the feature 'console' out"
            );
        }
    }
    table.push_str("]\n");
    fs::write(output.join("console.rs"), table)
}

/// Adds what is in a directory; `path` is how the server's clients call that.
fn add(table: &mut String, directory: &Path, path: &str) -> io::Result<()> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for entry in &entries {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        let path = format!("{path}/{name}");
        if entry.is_dir() {
            add(table, entry, &path)?;
        } else if !ENCODINGS.iter().any(|encoding| is_encoded(entry, encoding)) {
            let [brotli, gzip] = ENCODINGS.map(|encoding| {
                let encoded = format!("{}.{encoding}", entry.display());
                if Path::new(&encoded).is_file() { format!("Some(include_bytes!({encoded:?}))") } else { "None".into() }
            });
            let plain = entry.display().to_string();
            // Writing to a String cannot fail.
            let _ = writeln!(
                table,
                "File {{ path: {path:?}, plain: include_bytes!({plain:?}), brotli: {brotli}, gzip: {gzip} }},"
            );
        }
    }
    Ok(())
}

/// Whether it is another file that was encoded.
fn is_encoded(file: &Path, encoding: &str) -> bool {
    file.extension().is_some_and(|extension| extension == encoding) && file.with_extension("").is_file()
}
