//! TLS: whom to trust, and a client certificate.

use std::path::{Path, PathBuf};

use super::super::table::{BROKER_CA, BROKER_CERT, BROKER_KEY};
use super::refuse;
use crate::broker::BrokerAddress;
use crate::host::files::reread::Reread;
use crate::mqtt::tls::pem;
use crate::mqtt::tls::{
    CaSource, Roots, TlsFiles, TlsSettings, client_config, client_config_as, flaw,
};
use crate::settings::Spec;
use crate::settings::layers::Layers;

/// What TLS is needed for.
const OF_TLS: [Spec; 3] = [BROKER_CA, BROKER_CERT, BROKER_KEY];

/// The settings of TLS; without TLS nothing is trusted and nothing may be set. Whatever is given is
/// checked even when the address could not be read.
pub(super) fn resolve(
    layers: &mut Layers,
    address: Option<&BrokerAddress>,
) -> Option<Reread<TlsSettings>> {
    if address.is_some_and(|address| !address.is_tls()) {
        refuse(layers, OF_TLS.iter(), "mqtt:// has no TLS: write mqtts://, or leave it out");
        return client_config(Roots::none()).ok().map(|config| TlsSettings::from(config).into());
    }
    let mut ca = CaSource::System { instead: BROKER_CA.env };
    let roots = if layers.source(&BROKER_CA).is_some() {
        layers.optional(&BROKER_CA, |path| {
            ca = CaSource::File(path.into());
            pem::roots(Path::new(path))
        })
    } else if address.is_some() {
        let roots = pem::system_roots(BROKER_CA.env);
        roots.map_err(|problem| layers.problem(problem)).ok()
    } else {
        None
    };
    let sources = [&BROKER_CERT, &BROKER_KEY].map(|spec| layers.source(spec).map(str::to_owned));
    let chain = layers.optional(&BROKER_CERT, |path| {
        Ok((PathBuf::from(path), pem::certificate_chain(Path::new(path))?))
    });
    let key = layers.optional(&BROKER_KEY, |path| {
        Ok((PathBuf::from(path), pem::private_key(Path::new(path))?))
    });
    let (config, own) = match sources {
        [None, None] => (client_config(roots?).map_err(|error| flaw::words_of(&error)), None),
        [Some(certificate), Some(key_source)] => {
            let ((chain_file, chain), (key_file, key)) = (chain?, key?);
            // Whether they fit can be checked without roots.
            let config = client_config_as(roots.unwrap_or_else(Roots::none), chain, key)
                .map_err(|problem| format!("{certificate} and {key_source}: {problem}"));
            (config, Some((chain_file, key_file)))
        }
        [Some(one), None] => (Err(missing(&one, "key", &BROKER_KEY)), None),
        [None, Some(one)] => (Err(missing(&one, "certificate", &BROKER_CERT)), None),
    };
    let config = config.map_err(|problem| layers.problem(problem)).ok()?;
    Some(TlsFiles { ca, own }.reread(config))
}

fn missing(source: &str, what: &str, spec: &Spec) -> String {
    format!("{source}: the {what} is missing: set --{} or {}", spec.name, spec.env)
}
