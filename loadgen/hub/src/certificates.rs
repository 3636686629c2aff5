//! The development CA and the server certificate it issues.
//!
//! The CA lives in the state folder (`ca.pem`, `ca-key.pem`, the key readable by its owner only)
//! and is reused, so that a client keeps trusting the hub over restarts. The server certificate
//! is issued anew at each start and never written.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{RootCertStore, ServerConfig};

use super::HubError;
use super::files;

/// File of the CA certificate inside the state folder.
const CA_FILE: &str = "ca.pem";
/// File of the CA's private key inside the state folder.
const CA_KEY_FILE: &str = "ca-key.pem";

/// The hub's TLS material.
pub struct Certificates {
    /// The CA certificate in PEM, for clients to trust.
    pub ca_file: PathBuf,
    /// TLS 1.2 and 1.3 server configuration.
    pub server: Arc<ServerConfig>,
}

impl Certificates {
    /// Loads or creates the CA in `state_dir` and issues a server certificate for `host_name`, the
    /// `addresses` that are listened on, `localhost`, `127.0.0.1`, `::1` and the machine's own
    /// name.
    ///
    /// # Errors
    /// The folder cannot be used, or the CA in it.
    pub fn open(state_dir: &Path, host_name: &str, addresses: &[IpAddr]) -> Result<Self, HubError> {
        let ca_file = state_dir.join(CA_FILE);
        let key_file = state_dir.join(CA_KEY_FILE);
        let ca = match load_authority(&ca_file, &key_file)? {
            Some(ca) => ca,
            None => create_authority(&ca_file, &key_file)?,
        };
        let server = server_config(&ca, host_name, addresses)?;
        Ok(Self { ca_file, server })
    }
}

/// The CA's certificate as clients hold it, and what signs with its key.
struct Authority {
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// The CA's parameters. They never vary, so that a CA loaded from its files signs exactly as
/// it did when it was created.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "sluicegate development CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // 2037: the last full year every 32-bit clock can represent.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2037, 12, 31);
    params
}

/// `None` when there is no CA yet, or when the stored pair no longer works together.
fn load_authority(ca_file: &Path, key_file: &Path) -> Result<Option<Authority>, HubError> {
    if !ca_file.exists() || !key_file.exists() {
        return Ok(None);
    }
    let pem = files::read(ca_file)?;
    let key_pem = files::read(key_file)?;
    let Ok(der) = CertificateDer::from_pem_slice(pem.as_bytes()) else {
        return Err(HubError::state(ca_file, "is not a PEM certificate: remove it to start anew"));
    };
    let Ok(key) = KeyPair::from_pem(&key_pem) else {
        return Err(HubError::state(key_file, "is not a PEM key: remove it to start anew"));
    };
    let authority = Authority { der, issuer: Issuer::new(authority_params(), key) };
    if verifies(&authority) {
        Ok(Some(authority))
    } else {
        tracing::warn!(file = %ca_file.display(), "development CA does not match its key: \
                                                   replaced");
        Ok(None)
    }
}

fn create_authority(ca_file: &Path, key_file: &Path) -> Result<Authority, HubError> {
    let key = KeyPair::generate().map_err(HubError::certificate)?;
    let key_pem = key.serialize_pem();
    let ca =
        CertifiedIssuer::self_signed(authority_params(), key).map_err(HubError::certificate)?;
    files::replace_secret(key_file, key_pem.as_bytes())?;
    files::replace(ca_file, ca.pem().as_bytes())?;
    let der = ca.der().clone();
    let key = KeyPair::from_pem(&key_pem).map_err(HubError::certificate)?;
    Ok(Authority { der, issuer: Issuer::new(authority_params(), key) })
}

/// Whether a client that trusts the CA file accepts what the CA's key signs today.
fn verifies(authority: &Authority) -> bool {
    let check = || -> Option<()> {
        let (certificate, _) = issue(authority, "localhost", &[]).ok()?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.der.clone()).ok()?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().ok()?;
        let name = ServerName::try_from("localhost").ok()?;
        verifier.verify_server_cert(&certificate, &[], &name, &[], UnixTime::now()).ok()?;
        Some(())
    };
    check().is_some()
}

/// Issues a server certificate; the private key stays in memory.
fn issue(
    authority: &Authority,
    host_name: &str,
    addresses: &[IpAddr],
) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), HubError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, host_name);
    params.subject_alt_names = alternative_names(host_name, addresses);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let now = SystemTime::now();
    // A day back: a container's clock may lag behind ours.
    params.not_before = now.checked_sub(DAY).unwrap_or(now).into();
    params.not_after = now.checked_add(365 * DAY).unwrap_or(now).into();
    let key = KeyPair::generate().map_err(HubError::certificate)?;
    let certificate = params.signed_by(&key, &authority.issuer).map_err(HubError::certificate)?;
    let key = PrivateKeyDer::try_from(key.serialize_der())
        .map_err(|reason| HubError::Certificate(reason.to_owned()))?;
    Ok((certificate.der().clone(), key))
}

const DAY: Duration = Duration::from_secs(24 * 3600);

fn alternative_names(host_name: &str, addresses: &[IpAddr]) -> Vec<SanType> {
    let mut names: Vec<String> = Vec::new();
    // Nobody dials "any address".
    let dialled = addresses.iter().filter(|address| !address.is_unspecified());
    let dialled = dialled.map(|address| address.to_canonical().to_string());
    let usual = [host_name, "localhost", "127.0.0.1", "::1"].map(str::to_owned);
    for name in usual.into_iter().chain([machine_name()]).chain(dialled) {
        if !name.is_empty() && !names.iter().any(|n| n.eq_ignore_ascii_case(&name)) {
            names.push(name);
        }
    }
    names
        .into_iter()
        .filter_map(|name| match name.parse::<IpAddr>() {
            Ok(address) => Some(SanType::IpAddress(address)),
            Err(_) => name.try_into().ok().map(SanType::DnsName),
        })
        .collect()
}

/// The kernel's host name; empty when it cannot be told.
fn machine_name() -> String {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|file| std::fs::read_to_string(file).ok())
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

fn server_config(
    authority: &Authority,
    host_name: &str,
    addresses: &[IpAddr],
) -> Result<Arc<ServerConfig>, HubError> {
    let (certificate, key) = issue(authority, host_name, addresses)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(vec![certificate, authority.der.clone()], key)
        })
        .map_err(|error| HubError::Certificate(error.to_string()))?;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authority_is_created_once_and_reused() {
        let dir = tempfile::tempdir().unwrap();
        let first = Certificates::open(dir.path(), "gateway", &[]).unwrap();
        let pem = std::fs::read(&first.ca_file).unwrap();
        let second = Certificates::open(dir.path(), "gateway", &[]).unwrap();
        assert_eq!(pem, std::fs::read(&second.ca_file).unwrap());
    }

    #[test]
    fn authority_whose_key_was_swapped_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let first = Certificates::open(dir.path(), "gateway", &[]).unwrap();
        let pem = std::fs::read(&first.ca_file).unwrap();
        let stranger = KeyPair::generate().unwrap().serialize_pem();
        std::fs::write(dir.path().join(CA_KEY_FILE), stranger).unwrap();
        let second = Certificates::open(dir.path(), "gateway", &[]).unwrap();
        assert_ne!(pem, std::fs::read(&second.ca_file).unwrap());
    }

    #[test]
    fn broken_authority_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        Certificates::open(dir.path(), "gateway", &[]).unwrap();
        std::fs::write(dir.path().join(CA_FILE), "not a certificate").unwrap();
        let error = Certificates::open(dir.path(), "gateway", &[]).err().unwrap().to_string();
        assert!(error.contains(CA_FILE), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn authority_key_is_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        Certificates::open(dir.path(), "gateway", &[]).unwrap();
        let mode = std::fs::metadata(dir.path().join(CA_KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
