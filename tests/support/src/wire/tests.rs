use std::io::{ErrorKind, Read, Write};
use std::time::Instant;

use super::*;
use crate::{patience, wait_until};

/// The near end, the wire, and the far end of one connection.
fn connected() -> (TcpStream, Wire, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let wire = Wire::before(listener.local_addr().unwrap().port());
    let near = TcpStream::connect((Ipv4Addr::LOCALHOST, wire.port())).unwrap();
    let far = listener.accept().unwrap().0;
    for socket in [&near, &far] {
        socket.set_read_timeout(Some(patience())).unwrap();
    }
    wait_until("the wire has both ends", || wire.open() == 1);
    (near, wire, far)
}

fn read(socket: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    socket.read_exact(&mut bytes).unwrap();
    bytes
}

/// Whatever the manner, what goes in comes out, in order, both ways, and its end as well.
#[test]
fn all_bytes_pass_in_every_manner() {
    let manners = [
        Manner::default(),
        Manner { write_bytes: Some(1), ..Manner::default() },
        Manner { jitter: Duration::from_millis(20), ..Manner::default() },
        Manner { bytes_a_second: Some(100_000), ..Manner::default() },
    ];
    for manner in manners {
        let (mut near, wire, mut far) = connected();
        wire.pass_by(manner);
        let sent: Vec<u8> = (0..20_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let ends = [near.try_clone().unwrap(), far.try_clone().unwrap()];
        let [near_again, far_again] = ends;
        for (from, to) in [(&mut near, far_again), (&mut far, near_again)] {
            let mut to = to;
            for piece in sent.chunks(5_000) {
                from.write_all(piece).unwrap();
            }
            assert!(read(&mut to, sent.len()) == sent, "{manner:?}");
        }
        near.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(far.read(&mut [0; 8]).unwrap(), 0);
        far.write_all(b"late").unwrap();
        assert_eq!(read(&mut near, 4), b"late");
    }
}

/// At a rate it takes the time that it must.
#[test]
fn a_slow_wire_is_slow() {
    let (mut near, wire, mut far) = connected();
    wire.pass_by(Manner { bytes_a_second: Some(10_000), ..Manner::default() });
    let begun = Instant::now();
    near.write_all(&[7; 6_000]).unwrap();
    read(&mut far, 6_000);
    assert!(begun.elapsed() > Duration::from_millis(450), "{:?}", begun.elapsed());
}

#[test]
fn a_reset_is_a_reset_and_a_cut_an_end() {
    let (mut near, wire, mut far) = connected();
    wire.reset();
    for end in [&mut near, &mut far] {
        assert_eq!(end.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
    let (mut near, wire, mut far) = connected();
    wire.cut();
    for end in [&mut near, &mut far] {
        assert_eq!(end.read(&mut [0; 8]).unwrap(), 0);
    }
}

/// A part of a packet arrives, and then the end; whatever came before it is whole.
#[test]
fn a_cut_inside_a_packet_leaves_a_part_of_it() {
    let (mut near, wire, mut far) = connected();
    near.write_all(&[0x30, 3, 1, 2, 3]).unwrap();
    read(&mut far, 5);
    wire.cut_inside(Way::Up);
    near.write_all(&[0x30, 3, 1, 2, 3]).unwrap();
    let mut part = Vec::new();
    far.read_to_end(&mut part).unwrap();
    assert!((1..5).contains(&part.len()), "{part:?}");
    assert_eq!(wire.cuts_inside(), 1);
}

/// What is swallowed never comes, nor what follows on its connection; the other way it goes on.
#[test]
fn what_is_swallowed_is_gone() {
    let (mut near, wire, mut far) = connected();
    wire.swallow(Way::Up);
    near.write_all(b"lost").unwrap();
    far.write_all(b"here").unwrap();
    assert_eq!(read(&mut near, 4), b"here");
    wire.pass();
    near.write_all(b"lost as well").unwrap();
    far.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert_eq!(far.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
}
