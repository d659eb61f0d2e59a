//! The fake engine where much is moved: an archive is its image's name and id between two marks, and a node that was fed
//! one lists it.

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use serde_json::{Value, json};
use tokio_util::bytes::Bytes;

use super::engine::FakeEngine;
use super::held::NODE_IMAGES;
use crate::driver::engine::{EngineError, EngineFault, Executed};
use crate::driver::transfer::{HeldImage, Transfer};

/// How long an archive is made, so that it does not fit into what waits for a taker.
const FILLING: usize = 4 << 20;

#[async_trait]
impl Transfer for FakeEngine {
    async fn architecture(&self) -> Result<String, EngineError> {
        self.call("architecture", "", |_| Ok("amd64".to_owned())).await
    }

    async fn held(&self, name: &str) -> Result<Option<HeldImage>, EngineError> {
        let owned = name.to_owned();
        let find = move |held: &mut super::Held| {
            let image = held.images.iter().find(|image| image.names().contains(&owned));
            let architecture = |image: &super::FakeImage| image.label("architecture").unwrap_or("amd64").to_owned();
            Ok(image.map(|image| HeldImage {
                id: format!("sha256:{}", image.id()),
                architecture: architecture(image),
                size: FILLING as u64,
            }))
        };
        self.call("held", name, find).await
    }

    async fn save(&self, name: &str) -> Result<BoxStream<'static, Result<Bytes, EngineError>>, EngineError> {
        let owned = name.to_owned();
        let head = move |held: &mut super::Held| {
            let image = held.images.iter().find(|image| image.names().contains(&owned));
            let missing = || EngineFault::NotFound(format!("No such image: {owned}"));
            image.map(|image| format!("{owned} sha256:{}\n", image.id())).ok_or_else(missing)
        };
        let head = self.call("save", name, head).await?;
        let cut = self.cuts_archives();
        let filling = std::iter::repeat_n(vec![b'.'; FILLING / 8], if cut { 3 } else { 8 });
        let chunks = std::iter::once(head.into_bytes()).chain(filling).map(|chunk| Ok(Bytes::from(chunk)));
        let error = EngineError { operation: "save", subject: name.into(), cause: super::trouble::absent() };
        let last = if cut { Err(error) } else { Ok(Bytes::from_static(b"end")) };
        Ok(stream::iter(chunks.chain([last])).boxed())
    }

    async fn feed(
        &self,
        container: &str,
        command: &[&str],
        input: BoxStream<'static, Bytes>,
    ) -> Result<Executed, EngineError> {
        let (owned, subject) = (container.to_owned(), format!("{container} {}", command.join(" ")));
        // What is wrong with the call shows before anything is taken.
        self.call("feed", &subject, |_| Ok(())).await?;
        let archive = input.collect::<Vec<Bytes>>().await.concat();
        let take = move |held: &mut super::Held| {
            let found = held.container(&owned)?;
            let text = String::from_utf8_lossy(&archive);
            let named = text.lines().next().and_then(|line| line.split_once(' ')).filter(|_| text.ends_with("end"));
            let Some((name, id)) = named else {
                let errors = "ctr: unexpected EOF\n".to_owned();
                return Ok(Executed { code: 1, output: String::new(), errors });
            };
            let name = name.parse::<qbo_api::image::ImageReference>().unwrap().runtime_name();
            found.files.insert(format!("{NODE_IMAGES}{name}"), id.into());
            Ok(Executed { code: 0, output: String::new(), errors: String::new() })
        };
        self.call("fed", container, take).await
    }

    async fn inspect(&self, container: &str) -> Result<Value, EngineError> {
        let owned = container.to_owned();
        self.call("inspect", container, move |held| Ok(json!({"Name": held.container(&owned)?.container.name}))).await
    }
}
