//! `qbo-contract`: writes the documents of the contract.

use std::fs;

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let directory = qbo_contract::directory();
    fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
    for (name, text) in qbo_contract::files()? {
        let path = directory.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
