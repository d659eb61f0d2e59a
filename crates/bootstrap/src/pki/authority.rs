//! Certificate authorities and what they issue.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

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
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    validity: Validity,
}

impl From<SystemTime> for Validity {
    fn from(now: SystemTime) -> Self {
        Self { from: now - BACKDATE, until: now + LIFETIME }
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

    fn parameters(&self, validity: Validity) -> Result<CertificateParams, rcgen::Error> {
        let mut parameters = CertificateParams::new(self.names.clone())?;
        parameters.distinguished_name = DistinguishedName::new();
        if let Some(group) = self.group {
            parameters.distinguished_name.push(DnType::OrganizationName, group);
        }
        parameters.distinguished_name.push(DnType::CommonName, self.common_name);
        parameters.not_before = validity.from.into();
        parameters.not_after = validity.until.into();
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        parameters.extended_key_usages = self.usages.to_vec();
        Ok(parameters)
    }

    fn failure(&self, source: rcgen::Error) -> PkiError {
        PkiError::Certificate { name: self.common_name.to_owned(), source }
    }
}

impl Authority {
    pub(super) fn generate(common_name: &str, validity: Validity) -> Result<Self, PkiError> {
        // kubeadm puts an authority's name among its alternative ones too.
        let subject = Subject::new(common_name, &[]).reached_by(vec![common_name.to_owned()]);
        let generate = || {
            let mut parameters = subject.parameters(validity)?;
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            parameters.key_usages.push(KeyUsagePurpose::KeyCertSign);
            let key = KeyPair::generate()?;
            let certificate = parameters.self_signed(&key)?.pem();
            Ok(Self { issuer: Issuer::new(parameters, key), certificate, validity })
        };
        generate().map_err(|source| subject.failure(source))
    }

    pub(super) fn issue(&self, subject: &Subject<'_>) -> Result<Credential, PkiError> {
        let issue = || {
            let mut parameters = subject.parameters(self.validity)?;
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
