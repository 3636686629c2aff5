//! The hub, fed the first bytes of a connection: nobody is let in without a token, and a CONNECT
//! is taken only if rumqttc reads it as well.

use bytes::BytesMut;
use loadgen_hub::fuzzing::{Admitted, BareHub};
use rumqttc::mqttbytes::v4::{Connect, Packet};
use sluicegate::azure::Token;

use crate::hub::with_folder;

/// `data` is what a client sends first.
pub fn check(data: &[u8]) {
    let admitted = with_folder(|folder| {
        BareHub::open(folder).expect("the folder is of this test").first(data)
    });
    match admitted {
        Admitted::Seated => {
            let Ok(Packet::Connect(connect)) = Packet::read(&mut BytesMut::from(data), usize::MAX)
            else {
                panic!("no CONNECT was let in");
            };
            check_login(&connect);
        }
        Admitted::Closed(why) => assert!(!why.is_empty() && !why.contains('\n'), "{why}"),
        Admitted::Incomplete | Admitted::Refused => {}
    }
}

/// Who is let in has said who it is, and proved it.
fn check_login(connect: &Connect) {
    let login = connect.login.as_ref().expect("a user name and a password");
    let token = Token::parse(&login.password).expect("the password is a token");
    assert!(token.verify(&sluicegate::azure::Key::from_base64("a2V5").expect("it is base64")));
    let (device, module) = connect.client_id.split_once('/').expect("a module");
    let path = format!("/devices/{device}/modules/{module}");
    assert!(token.resource().to_lowercase().ends_with(&path.to_lowercase()), "{path}");
}
