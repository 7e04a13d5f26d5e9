//! What the company sells: coffee, tea and what goes with them.

use super::calendar::PRICE_RISE;
use super::random::{Chance, Of, valid};
use perennial_core::error::Result;
use rand::Rng;
use rand_distr::{Distribution, LogNormal};

/// One article.
pub(crate) struct Product {
    pub name: String,
    pub category: usize,
    /// Present price of one piece, in cents.
    pub list_price_cents: u64,
    pub unit_cost_cents: u64,
}

/// A category: its name, a typical price in cents, its cost as a share of the price, what comes back of 1000 lines.
pub(crate) struct Category {
    pub name: &'static str,
    typical_price_cents: f64,
    cost_share: f64,
    pub returns_per_mille: f64,
    kinds: [&'static str; 5],
}

pub(crate) const CATEGORIES: [Category; 8] = [
    Category {
        name: "coffee",
        typical_price_cents: 1490.0,
        cost_share: 0.58,
        returns_per_mille: 6.0,
        kinds: ["Espresso", "Filter roast", "Decaf", "Crema", "Single origin"],
    },
    Category {
        name: "tea",
        typical_price_cents: 990.0,
        cost_share: 0.45,
        returns_per_mille: 6.0,
        kinds: ["Assam", "Darjeeling", "Sencha", "Rooibos", "Earl Grey"],
    },
    Category {
        name: "chocolate",
        typical_price_cents: 690.0,
        cost_share: 0.55,
        returns_per_mille: 8.0,
        kinds: ["Dark bar", "Milk bar", "Truffles", "Nougat", "Drinking chocolate"],
    },
    Category {
        name: "machines",
        typical_price_cents: 24900.0,
        cost_share: 0.78,
        returns_per_mille: 45.0,
        kinds: ["Espresso machine", "Grinder", "Filter machine", "Kettle", "Milk frother"],
    },
    Category {
        name: "cups",
        typical_price_cents: 1190.0,
        cost_share: 0.50,
        returns_per_mille: 25.0,
        kinds: ["Cup", "Mug", "Glass", "Saucer", "Travel mug"],
    },
    Category {
        name: "filters",
        typical_price_cents: 420.0,
        cost_share: 0.40,
        returns_per_mille: 10.0,
        kinds: ["Paper filter", "Steel filter", "Tea filter", "Water filter", "Cleaning tabs"],
    },
    Category {
        name: "syrup",
        typical_price_cents: 850.0,
        cost_share: 0.48,
        returns_per_mille: 8.0,
        kinds: ["Vanilla syrup", "Caramel syrup", "Hazelnut syrup", "Ginger syrup", "Chai syrup"],
    },
    Category {
        name: "gift boxes",
        typical_price_cents: 3490.0,
        cost_share: 0.62,
        returns_per_mille: 18.0,
        kinds: ["Tasting box", "Advent box", "Office box", "Breakfast box", "Classic box"],
    },
];
const SIZES: [&str; 3] = ["small", "medium", "large"];
const SIZE_FACTORS: [f64; 3] = [0.7, 1.0, 1.6];

/// All articles, and how often each is bought.
pub(crate) struct Assortment {
    pub products: Vec<Product>,
    /// Sum of the shares up to and with each article.
    cumulative_share: Vec<f64>,
}

impl Assortment {
    pub(crate) fn new(chance: &Chance) -> Result<Assortment> {
        let spread = valid(LogNormal::new(0.0, 0.25))?;
        let mut rng = chance.of(Of::NightTwo, 1 << 40);
        let mut products = Vec::new();
        for (number, category) in CATEGORIES.iter().enumerate() {
            for kind in category.kinds {
                let price = category.typical_price_cents * spread.sample(&mut rng);
                for (size, factor) in SIZES.iter().zip(SIZE_FACTORS) {
                    let list_price_cents = (price * factor / 10.0).round() as u64 * 10 + 9;
                    let cost = list_price_cents as f64 * category.cost_share * rng.random_range(0.94..1.06);
                    let name = format!("{kind}, {size}");
                    products.push(Product { name, category: number, list_price_cents, unit_cost_cents: cost as u64 });
                }
            }
        }
        let mut share = 0.0;
        let cumulative_share = (0..products.len())
            .map(|i| {
                // Machines are bought seldom; within the rest a few articles make most of the sales.
                let weight = if products[i].category == 3 { 0.12 } else { 1.0 };
                share += weight / (1.0 + (i * 7 % products.len()) as f64).powf(0.7);
                share
            })
            .collect();
        Ok(Assortment { products, cumulative_share })
    }

    /// An article, the popular ones more often.
    pub(crate) fn draw(&self, rng: &mut impl Rng) -> usize {
        let whole = self.cumulative_share.last().copied().unwrap_or(0.0);
        let at = rng.random::<f64>() * whole;
        self.cumulative_share.partition_point(|share| *share <= at).min(self.products.len() - 1)
    }
}

impl Product {
    /// The price of one piece on a day, in cents: prices rose by 4.5 % once.
    pub(crate) fn price_on(&self, day: i32) -> u64 {
        match day < PRICE_RISE {
            true => (self.list_price_cents * 1000 + 522) / 1045,
            false => self.list_price_cents,
        }
    }
}
