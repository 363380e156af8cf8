//! Things that people write to each other.

use super::random::Random;

const OPENINGS: &[&str] = &[
    "",
    "",
    "",
    "",
    "Hey, ",
    "Hi! ",
    "Oh, ",
    "Quick question: ",
    "By the way, ",
    "Sorry, ",
    "Good morning! ",
    "ok so ",
];

const BODIES: &[&str] = &[
    "are we still on for Saturday?",
    "I left the keys under the blue pot",
    "the train is late again, start without me",
    "can you send me the address?",
    "dinner at seven?",
    "did you see the photos from the lake?",
    "my flight lands at 18:40, gate C",
    "could you pick up bread and 2 lemons",
    "the meeting moved to Thursday",
    "I think the cat likes you better",
    "what was the name of that restaurant near the harbour",
    "Happy birthday!! 🎂🎉",
    "on my way",
    "running ten minutes late, sorry",
    "that was so much fun, thank you for having us",
    "the plumber can come between 9 and 11",
    "I'll call you after work",
    "no worries at all",
    "haha that's exactly what I said",
    "does anyone have a spare charger?",
    "we need one more person for the quiz",
    "your package is at our place",
    "Café Müller has the good table by the window ☕️",
    "ich bin gleich da",
    "¿nos vemos el domingo?",
    "明日の朝、駅で会いましょう",
    "👍",
    "😂😂😂",
    "👨‍👩‍👧‍👦 all here and hungry",
    "the code for the door is 4417#",
    "can you read this before I send it?",
    "let me know when you're home",
];

const ENDINGS: &[&str] =
    &["", "", "", "", "", "", " 🙂", " ❤️", " xx", "\nNo hurry.", " Let me know!", " (sorry for the late reply)"];

const NOTICES: &[&str] = &[
    "is your verification code. Don't share it.",
    "is your login code. It expires in 10 minutes.",
    "is the code to confirm your appointment.",
];

pub const GROUP_NAMES: &[&str] =
    &["Lake house", "Sunday football", "Book club 📚", "Flat 3", "Team lunch", "Hiking", "Family"];

pub const LINKS: &[(&str, &str)] = &[
    ("https://example.com/recipes/lemon-tart", "Lemon tart in forty minutes"),
    ("https://example.org/trails/north-ridge", "North ridge: a loop of 12 km"),
    ("https://example.net/tickets?event=204", "Two tickets for Friday"),
    ("https://www.example.com/news/harbour-bridge", "The harbour bridge opens again"),
];

pub const EMOJI: &[&str] = &["🎉", "🔥", "🥲", "👏", "🙏🏽"];

pub fn sentence(random: &mut Random) -> String {
    let opening = random.pick(OPENINGS);
    let body = random.pick(BODIES);
    format!("{opening}{body}{}", random.pick(ENDINGS))
}

/// Longer than the 127 bytes up to which a length takes one byte.
pub fn paragraph(random: &mut Random) -> String {
    let sentences: Vec<String> = (0..8 + random.below(8)).map(|_| sentence(random)).collect();
    sentences.join("\n")
}

/// What a company's short code sends.
pub fn notice(random: &mut Random) -> String {
    format!("{:06} {}", random.below(1_000_000), random.pick(NOTICES))
}

/// Addresses that belong to nobody: North American numbers of the range kept for fiction, then e-mail addresses.
pub fn address(index: usize) -> String {
    const AREAS: [u32; 20] =
        [201, 202, 206, 212, 213, 301, 303, 305, 312, 404, 408, 410, 503, 512, 602, 617, 619, 702, 713, 808];
    match AREAS.get(index / 100) {
        Some(area) => format!("+1{area}55501{:02}", index % 100),
        None => format!("person{index}@example.com"),
    }
}
