//! Certificate authorities and what they issue.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, PublicKeyData,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::PkiError;

/// A node's clock may be behind ours; kubeadm allows as much (`CertificateBackdate`).
const BACKDATE: Duration = Duration::from_mins(5);

const LIFETIME: Duration = Duration::from_hours(10 * 365 * 24);

/// When certificates hold.
#[derive(Clone, Copy)]
pub(crate) struct Validity {
    from: SystemTime,
    until: SystemTime,
}

/// A certificate and its key, both as PEM.
pub(crate) struct Credential {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Who a certificate is for, and what it is good for.
#[derive(Clone)]
pub(super) struct Subject<'a> {
    common_name: &'a str,
    group: Option<&'a str>,
    usages: &'a [ExtendedKeyUsagePurpose],
    names: Vec<String>,
}

/// Something that issues certificates.
#[derive(Debug)]
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl From<SystemTime> for Validity {
    fn from(now: SystemTime) -> Self {
        Self { from: now - BACKDATE, until: now + LIFETIME }
    }
}

impl Validity {
    fn limit(self, parameters: &mut CertificateParams) {
        parameters.not_before = self.from.into();
        parameters.not_after = self.until.into();
    }
}

impl<'a> Subject<'a> {
    pub(super) fn new(common_name: &'a str, usages: &'a [ExtendedKeyUsagePurpose]) -> Self {
        Self { common_name, group: None, usages, names: Vec::new() }
    }

    /// A user of an API: Kubernetes takes the common name for its name.
    pub(super) fn client(common_name: &'a str) -> Self {
        Self::new(common_name, &[ExtendedKeyUsagePurpose::ClientAuth])
    }

    /// The user's group: Kubernetes takes the organization for it.
    pub(super) fn in_group(self, group: &'a str) -> Self {
        Self { group: Some(group), ..self }
    }

    /// The names and addresses a server answers to.
    pub(super) fn reached_by(self, names: Vec<String>) -> Self {
        Self { names, ..self }
    }

    fn parameters(&self) -> Result<CertificateParams, rcgen::Error> {
        let mut parameters = CertificateParams::new(self.names.clone())?;
        parameters.distinguished_name = DistinguishedName::new();
        if let Some(group) = self.group {
            parameters.distinguished_name.push(DnType::OrganizationName, group);
        }
        parameters.distinguished_name.push(DnType::CommonName, self.common_name);
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        parameters.extended_key_usages = self.usages.to_vec();
        // What an authority issues names its key by this. One that is restored must use the same method as when it was made.
        parameters.key_identifier_method = KeyIdMethod::Sha256;
        Ok(parameters)
    }

    fn failure(&self, source: rcgen::Error) -> PkiError {
        PkiError::Certificate { name: self.common_name.to_owned(), source }
    }
}

impl Authority {
    pub(super) fn generate(common_name: &str, validity: Validity) -> Result<Self, PkiError> {
        let generate = || {
            let mut parameters = Self::parameters(common_name)?;
            validity.limit(&mut parameters);
            let key = KeyPair::generate()?;
            let certificate = parameters.self_signed(&key)?.pem();
            Ok(Self { issuer: Issuer::new(parameters, key), certificate })
        };
        generate().map_err(|source| PkiError::Certificate { name: common_name.to_owned(), source })
    }

    /// The authority that was made under this name, with its certificate. `None` where the certificate is not that of the key.
    pub(super) fn restore(common_name: &str, certificate: String, key: KeyPair) -> Option<Self> {
        let der = CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?;
        let public_key = key.subject_public_key_info();
        if !der.windows(public_key.len()).any(|window| window == public_key) {
            return None;
        }
        // Of what an authority is made with, only its name and the method above reach what it issues.
        let parameters = Self::parameters(common_name).ok()?;
        Some(Self { issuer: Issuer::new(parameters, key), certificate })
    }

    fn parameters(common_name: &str) -> Result<CertificateParams, rcgen::Error> {
        // kubeadm puts an authority's name among its alternative ones too.
        let subject = Subject::new(common_name, &[]).reached_by(vec![common_name.to_owned()]);
        let mut parameters = subject.parameters()?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages.push(KeyUsagePurpose::KeyCertSign);
        Ok(parameters)
    }

    pub(super) fn issue(&self, subject: &Subject<'_>, validity: Validity) -> Result<Credential, PkiError> {
        let issue = || {
            let mut parameters = subject.parameters()?;
            validity.limit(&mut parameters);
            parameters.is_ca = IsCa::ExplicitNoCa;
            parameters.use_authority_key_identifier_extension = true;
            let key = KeyPair::generate()?;
            let certificate = parameters.signed_by(&key, &self.issuer)?.pem();
            Ok(Credential { certificate, key: key.serialize_pem() })
        };
        issue().map_err(|source| subject.failure(source))
    }

    pub(super) fn into_credential(self) -> Credential {
        Credential { certificate: self.certificate, key: self.issuer.key().serialize_pem() }
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Credential").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}
