//! Black and Scholes against py_vollib: `scripts/option-oracle` makes the table.

use barkeep::backtest::options::{LOWEST_VOLATILITY, Right, Terms};

const TABLE: &str = include_str!("../data/options.csv");

struct Row {
    terms: Terms,
    volatility: f64,
    price: f64,
    delta: f64,
    gamma: f64,
    theta: f64,
    vega: f64,
    implied_volatility: Option<f64>,
}

fn rows() -> Vec<Row> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(TABLE.as_bytes());
    let rows = reader.records().map(|record| {
        let record = record.unwrap();
        let number = |column: usize| record[column].parse::<f64>().unwrap();
        Row {
            terms: Terms {
                right: if &record[0] == "c" { Right::Call } else { Right::Put },
                spot: number(1),
                strike: number(2),
                years: number(3),
                rate: number(4),
                dividend_yield: number(5),
            },
            volatility: number(6),
            price: number(7),
            delta: number(8),
            gamma: number(9),
            theta: number(10),
            vega: number(11),
            implied_volatility: record[12].parse().ok(),
        }
    });
    rows.collect()
}

#[test]
fn prices_and_sensitivities_are_those_of_an_independent_library() {
    let rows = rows();
    assert!(rows.len() > 600);
    for row in rows {
        let greeks = row.terms.greeks(row.volatility);
        for (name, found, expected, scale) in [
            ("price", row.terms.price(row.volatility), row.price, row.terms.spot),
            ("delta", greeks.delta, row.delta, 1.0),
            ("gamma", greeks.gamma, row.gamma, row.gamma.abs()),
            ("theta", greeks.theta, row.theta, row.theta.abs() + row.terms.spot),
            ("vega", greeks.vega, row.vega, row.vega.abs()),
        ] {
            assert!((found - expected).abs() <= 1e-11 * scale, "{:?}: {name} {found} {expected}", row.terms);
        }
    }
}

#[test]
fn implied_volatilities_are_those_of_an_independent_library() {
    let mut compared = 0;
    for row in rows() {
        let Some(expected) = row.implied_volatility else { continue };
        let found = row.terms.implied_volatility(row.price);
        assert!(expected > LOWEST_VOLATILITY);
        // A price is known to about 1e-12 of the underlying's.
        let slack = 1e-9 + 1e-11 * row.terms.spot / row.vega;
        assert!(found.is_ok_and(|found| (found - expected).abs() <= slack), "{:?}: {found:?} {expected}", row.terms);
        compared += 1;
    }
    assert!(compared > 350, "{compared}");
}
