//! The files of a node, and its certificates as a TLS library sees them.

use std::collections::BTreeMap;
use std::time::SystemTime;

use qbo_bootstrap::{ClusterPlan, Contents, NodeFile, NodePlan, Pki, files};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[webpki::aws_lc_rs::ECDSA_P256_SHA256];

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Usage {
    Server,
    Client,
}

pub(crate) struct Node(pub(crate) BTreeMap<String, NodeFile>);

impl Node {
    pub(crate) fn of(plan: &ClusterPlan, pki: &Pki, node: &NodePlan) -> Self {
        Self(files(plan, pki, node).into_iter().map(|file| (file.path.clone(), file)).collect())
    }

    pub(crate) fn bytes(&self, path: &str) -> &[u8] {
        match &self.0[path].contents {
            Contents::File(bytes) => bytes,
            _ => panic!("{path} is no file"),
        }
    }

    pub(crate) fn certificate(&self, path: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.bytes(path)).unwrap()
    }

    pub(crate) fn authority(&self, name: &str) -> CertificateDer<'static> {
        self.certificate(&format!("/etc/kubernetes/pki/{name}.crt"))
    }

    /// The client certificate in a kubeconfig.
    pub(crate) fn embedded(&self, path: &str) -> CertificateDer<'static> {
        use base64::Engine;
        let text = std::str::from_utf8(self.bytes(path)).unwrap();
        let data = text.lines().find_map(|line| line.trim().strip_prefix("client-certificate-data: ")).unwrap();
        CertificateDer::from_pem_slice(&base64::prelude::BASE64_STANDARD.decode(data).unwrap()).unwrap()
    }
}

pub(crate) fn valid(
    certificate: &CertificateDer<'_>,
    authority: &CertificateDer<'_>,
    usage: Usage,
    at: SystemTime,
) -> bool {
    let at = UnixTime::since_unix_epoch(at.duration_since(SystemTime::UNIX_EPOCH).unwrap());
    let usage = match usage {
        Usage::Server => KeyUsage::server_auth(),
        Usage::Client => KeyUsage::client_auth(),
    };
    let anchors = [anchor_from_trusted_cert(authority).unwrap()];
    let certificate = EndEntityCert::try_from(certificate).unwrap();
    certificate.verify_for_usage(ALGORITHMS, &anchors, &[], at, usage, None, None).is_ok()
}

pub(crate) fn says(certificate: &CertificateDer<'_>, part: &str) -> bool {
    contains(EndEntityCert::try_from(certificate).unwrap().subject(), part.as_bytes())
}

pub(crate) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
