//! DER (X.690): tags, lengths and contents, one behind the other.

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BITS: u8 = 0x03;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
/// UTF8String, PrintableString, T61String, IA5String.
pub(super) const TEXTS: [u8; 4] = [0x0c, 0x13, 0x14, 0x16];

/// The tag `[number] EXPLICIT`.
pub(super) const fn explicit(number: u8) -> u8 {
    0xa0 | number
}

/// The tag `[number] IMPLICIT` of what has no parts.
pub(super) const fn implicit(number: u8) -> u8 {
    0x80 | number
}

/// One value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// With tag and length.
    pub(super) whole: &'a [u8],
}

impl<'a> Item<'a> {
    /// What it is made of.
    pub(super) fn inside(&self) -> Reader<'a> {
        Reader(self.content)
    }
}

/// What is left to be read. It ends at what is cut off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next value, if it has this tag.
    pub(super) fn tagged(&mut self, tag: u8) -> Option<Item<'a>> {
        self.next().filter(|item| item.tag == tag)
    }

    /// The same, which is left where it is otherwise.
    pub(super) fn optional(&mut self, tag: u8) -> Option<Item<'a>> {
        if self.0.first() == Some(&tag) { self.next() } else { None }
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        let &[tag, first, ref rest @ ..] = self.0 else { return None };
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            // Four digits are more than any file may have.
            let count = usize::from(first & 0x7f);
            let (digits, rest) =
                rest.split_at_checked(count).filter(|_| (1..=4).contains(&count))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        };
        let (content, after) = rest.split_at_checked(length)?;
        let whole = &self.0[..self.0.len() - after.len()];
        self.0 = after;
        Some(Item { tag, content, whole })
    }
}
