//! Where servers are: all in one place, or spread over five regions.

use crate::world::{Regions, Settings};

/// Where servers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// One data centre: 0.1 to 0.3 ms one way.
    OneRoom,
    /// Five regions, voters and observers in turn: us-east, us-west, eu-west, ap-south, ap-northeast.
    FiveRegions,
}

/// The regions' names.
pub(super) const REGIONS: [&str; 5] = ["us-east", "us-west", "eu-west", "ap-south", "ap-northeast"];

/// Round trips between them, ms: typical of public clouds as anybody measures them, rounded to five.
const ROUND_TRIP_MS: [[u64; 5]; 5] = [
    [0, 70, 70, 190, 150],
    [70, 0, 130, 220, 100],
    [70, 130, 0, 125, 210],
    [190, 220, 125, 0, 130],
    [150, 100, 210, 130, 0],
];

impl Place {
    /// Both.
    pub const ALL: [Self; 2] = [Self::OneRoom, Self::FiveRegions];

    /// As tables and files call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OneRoom => "one room",
            Self::FiveRegions => "five regions",
        }
    }

    /// tickTime (ms), initLimit, syncLimit (ticks) and the finalize wait (ms) that `docs/SCALE.md`
    /// recommends there.
    #[must_use]
    pub fn recommended(self) -> (u64, u64, u64, u64) {
        match self {
            Self::OneRoom => (200, 10, 5, 50),
            Self::FiveRegions => (500, 10, 5, 400),
        }
    }

    /// The region of a server.
    #[must_use]
    pub fn region(self, at: u16) -> u16 {
        match self {
            Self::OneRoom => 0,
            Self::FiveRegions => at % 5,
        }
    }

    /// The region's name.
    #[must_use]
    pub fn region_name(self, at: u16) -> &'static str {
        match self {
            Self::OneRoom => "here",
            Self::FiveRegions => REGIONS[usize::from(self.region(at))],
        }
    }

    /// How long a message takes between two servers at least, us.
    #[must_use]
    pub fn one_way_us(self, from: u16, to: u16) -> u64 {
        ROUND_TRIP_MS[usize::from(self.region(from))][usize::from(self.region(to))] * 500
    }

    pub(super) fn furnish(self, settings: &mut Settings) {
        settings.delay_us = (100, 300);
        // One in a thousand is late: somebody was busy; or, far away, it was lost and is sent again.
        settings.straggle_permille = 1;
        settings.straggle_us = match self {
            Self::OneRoom => 5_000,
            Self::FiveRegions => 250_000,
        };
        let servers = settings.servers();
        let mut of_site: Vec<u8> = (0..servers).map(|at| self.region_byte(at)).collect();
        // Clients' sites: one in each region, again and again.
        of_site.extend((0..settings.clients).map(|client| self.region_byte(client)));
        let one_way_us = ROUND_TRIP_MS.map(|row| row.map(|ms| ms * 500).to_vec()).to_vec();
        settings.regions = Regions { of_site, one_way_us };
    }

    fn region_byte(self, at: u16) -> u8 {
        u8::try_from(self.region(at)).expect("there are five regions")
    }
}
