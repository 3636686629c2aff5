//! Inputs that are made from others by a few changes, without looking at what they reach: for runs
//! that are long because each input is cheap. The guided fuzzers find what is changed here.

use fastrand::Rng;

/// Most changes to one input.
const CHANGES_MAX: usize = 5;
/// Most bytes that one change inserts, removes or copies.
const RANGE_BYTES_MAX: usize = 16;
/// What grammars of texts and packets are made of.
const SPECIAL: &[u8] =
    b"\0\x01\x02\x7f\x80\xff \t\n\r\"\\{}[]():;,.+-eE0129/#$%&=?@_aznulltruefalse";

/// Makes inputs of one target.
#[derive(Debug)]
pub struct Mutator {
    inputs: Vec<Vec<u8>>,
    bytes_max: usize,
    random: Rng,
}

impl Mutator {
    /// Inputs of at most `bytes_max` bytes from `inputs`, the same ones for the same seed. Longer
    /// ones are cut; without any there is an empty one.
    pub fn new(mut inputs: Vec<Vec<u8>>, bytes_max: usize, seed: u64) -> Self {
        if inputs.is_empty() {
            inputs.push(Vec::new());
        }
        inputs.iter_mut().for_each(|input| input.truncate(bytes_max));
        Self { inputs, bytes_max, random: Rng::with_seed(seed) }
    }

    /// Writes the next input over `input`.
    pub fn next(&mut self, input: &mut Vec<u8>) {
        input.clear();
        input.extend_from_slice(&self.inputs[self.random.usize(..self.inputs.len())]);
        for _ in 0..self.random.usize(1..=CHANGES_MAX) {
            self.change(input);
        }
        input.truncate(self.bytes_max);
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.random.usize(..=input.len());
        let byte = self.byte();
        let rest = input.len() - at;
        match self.random.u8(..8) {
            0 | 1 if rest > 0 => input[at] = byte,
            2 if rest > 0 => input[at] ^= 1 << self.random.u8(..8),
            3 if rest > 0 => {
                input.drain(at..at + self.random.usize(..=rest.min(RANGE_BYTES_MAX)));
            }
            4 => input.truncate(at),
            5 => self.copy(input, at),
            6 => self.splice(input, at),
            _ => input.insert(at, byte),
        }
    }

    fn byte(&mut self) -> u8 {
        match self.random.bool() {
            true => self.random.u8(..),
            false => SPECIAL[self.random.usize(..SPECIAL.len())],
        }
    }

    /// Inserts what stands elsewhere in the input.
    fn copy(&mut self, input: &mut Vec<u8>, at: usize) {
        let from = self.random.usize(..=input.len());
        let count = self.random.usize(..=RANGE_BYTES_MAX.min(input.len() - from));
        let copied = input[from..from + count].to_vec();
        input.splice(at..at, copied);
    }

    /// Goes on with another input.
    fn splice(&mut self, input: &mut Vec<u8>, at: usize) {
        let other = &self.inputs[self.random.usize(..self.inputs.len())];
        let from = self.random.usize(..=other.len());
        input.truncate(at);
        input.extend_from_slice(&other[from..]);
    }
}
