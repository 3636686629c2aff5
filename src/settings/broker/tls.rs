//! TLS: whom to trust, and a client certificate.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use super::super::layers::Layers;
use super::super::table::{BROKER_CA, BROKER_CERT, BROKER_KEY};
use super::super::{Spec, values};
use super::refuse;
use crate::broker::Address;
use crate::files::pem;
use crate::trust::{client_config, client_config_as};

/// What TLS is needed for.
const OF_TLS: [Spec; 3] = [BROKER_CA, BROKER_CERT, BROKER_KEY];

/// The settings of TLS; without TLS nothing is trusted and nothing may be set. Whatever is given is
/// checked even when the address could not be read.
pub(super) fn resolve(layers: &mut Layers, address: Option<&Address>) -> Option<Arc<ClientConfig>> {
    if address.is_some_and(|address| !address.is_tls()) {
        refuse(layers, OF_TLS.iter(), "mqtt:// has no TLS: write mqtts://, or leave it out");
        return client_config(RootCertStore::empty()).ok();
    }
    let roots = if layers.source(&BROKER_CA).is_some() {
        layers.optional(&BROKER_CA, |path| pem::roots(Path::new(path)))
    } else if address.is_some() {
        let roots = pem::system_roots(BROKER_CA.env);
        roots.map_err(|problem| layers.problem(problem)).ok()
    } else {
        None
    };
    let sources = [&BROKER_CERT, &BROKER_KEY].map(|spec| layers.source(spec).map(str::to_owned));
    let chain = layers.optional(&BROKER_CERT, |path| pem::certificate_chain(Path::new(path)));
    let key = layers.optional(&BROKER_KEY, |path| pem::private_key(Path::new(path)));
    match sources {
        [None, None] => client_config(roots?).map_err(values::text),
        [Some(certificate), Some(key_source)] => {
            // Whether they fit can be told without roots.
            client_config_as(roots.unwrap_or_else(RootCertStore::empty), chain?, key?)
                .map_err(|error| format!("{certificate} and {key_source}: {}", mismatch(&error)))
        }
        [Some(one), None] => Err(missing(&one, "key", &BROKER_KEY)),
        [None, Some(one)] => Err(missing(&one, "certificate", &BROKER_CERT)),
    }
    .map_err(|problem| layers.problem(problem))
    .ok()
}

fn missing(source: &str, what: &str, spec: &Spec) -> String {
    format!("{source}: the {what} is missing: set --{} or {}", spec.name, spec.env)
}

/// Why a certificate and a key, each of which was read, cannot be used together.
fn mismatch(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(_) => "the key does not belong to the first certificate: \
             put the client's own certificate first, and give its key"
            .to_owned(),
        rustls::Error::InvalidCertificate(error) => {
            format!("the first certificate cannot be used ({error}): give the client's own")
        }
        _ => "the key cannot be used: give one of RSA, ECDSA P-256 or P-384, or Ed25519".to_owned(),
    }
}
