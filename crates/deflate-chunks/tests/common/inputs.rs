//! Inputs made by code: the same everywhere, and nothing to keep in a repository.

/// A generator of numbers that look random (xorshift64*, S. Vigna, 2016).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`, at most 2^32.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((self.next() >> 32) * limit) >> 32
    }
}

/// Bytes without any pattern.
pub fn noise(random: &mut Random, length: usize) -> Vec<u8> {
    (0..length).map(|_| (random.next() >> 56) as u8).collect()
}

/// Words of made-up syllables, the frequent ones short, with spaces and line ends.
pub fn prose(length: usize) -> Vec<u8> {
    let mut random = Random::new(2);
    let mut text = Vec::with_capacity(length + 40);
    while text.len() < length {
        // A product of three is small more often than not: some words are frequent.
        let word = random.below(20) * random.below(20) * random.below(20);
        let mut syllables = Random::new(word + 77);
        for _ in 0..=word.max(1).ilog2() / 4 {
            text.push(b"bcdfghklmnprstvw"[syllables.below(16) as usize]);
            text.push(b"aeiou"[syllables.below(5) as usize]);
        }
        text.push(if random.below(12) == 0 { b'\n' } else { b' ' });
    }
    text.truncate(length);
    text
}

/// Records of fixed width with counters and flags, as in an executable's tables.
pub fn table(length: usize) -> Vec<u8> {
    let mut random = Random::new(4);
    let mut bytes = Vec::with_capacity(length + 24);
    let mut address = 0x40_0000u64;
    while bytes.len() < length {
        address += 16 * random.below(9);
        bytes.extend_from_slice(&address.to_le_bytes());
        bytes.extend_from_slice(&(random.below(60) as u32).to_le_bytes());
        bytes.extend_from_slice(&[0, 0, 0, 1 << random.below(4)]);
    }
    bytes.truncate(length);
    bytes
}

/// Zeros with some noise between.
pub fn sparse(random: &mut Random, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 5000);
    while bytes.len() < length {
        bytes.resize(bytes.len() + random.below(4000) as usize, 0);
        let count = random.below(600) as usize;
        bytes.extend(noise(random, count));
    }
    bytes.truncate(length);
    bytes
}

/// What the digests are of: names, and inputs of several chunks of the size of a window and more.
pub fn all() -> [(&'static str, Vec<u8>); 4] {
    let mut random = Random::new(8);
    [
        ("prose", prose(300_000)),
        ("table", table(300_000)),
        ("sparse", sparse(&mut random, 300_000)),
        ("noise", noise(&mut random, 150_000)),
    ]
}
