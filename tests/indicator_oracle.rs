//! Indicators against TA-Lib, which shares no code with them. `scripts/indicator_oracle.py` makes the values.

use barkeep::backtest::indicators::{Adx, Atr, Donchian, Ema, Rsi};

const TOLERANCE: f64 = 1e-9;

/// Bars after which less than 1e-10 of the other seed of TA-Lib's directional indicators is left.
const DIRECTIONAL_FROM: usize = 400;

struct Row {
    prices: [f64; 4],
    expected: Vec<Option<f64>>,
}

fn rows() -> Vec<Row> {
    let table = include_str!("data/indicators.csv");
    let parse = |line: &str| {
        let cells: Vec<Option<f64>> =
            line.split(',').map(|cell| (!cell.is_empty()).then(|| cell.parse().unwrap())).collect();
        let prices = std::array::from_fn(|column| cells[column].unwrap());
        Row { prices, expected: cells[4..].to_vec() }
    };
    table.lines().skip(2).map(parse).collect()
}

// B-64
#[test]
fn indicators_agree_with_ta_lib() {
    let (mut rsi, mut atr, mut adx) = (Rsi::default(), Atr::new(true, false), Adx::default());
    let mut means = [21, 50, 200].map(Ema::new);
    let mut donchian = Donchian::new(20);
    let mut compared = [0_usize; 10];
    for (bar, Row { prices: [_, high, low, close], expected }) in rows().into_iter().enumerate() {
        rsi.update(close);
        for mean in &mut means {
            mean.update(close);
        }
        adx.update(high, low, close);
        donchian.push(high, low);
        atr.update(high, low, close, false);
        let directional = adx.value().filter(|_| bar >= DIRECTIONAL_FROM);
        let levels = donchian.levels();
        let ours = [
            rsi.value(),
            means[0].value(),
            means[1].value(),
            means[2].value(),
            atr.value(),
            directional.map(|known| known.adx),
            directional.map(|known| known.plus),
            directional.map(|known| known.minus),
            levels.map(|(high, _)| high),
            levels.map(|(_, low)| low),
        ];
        for (column, (ours, theirs)) in ours.into_iter().zip(expected).enumerate() {
            if (5..8).contains(&column) && bar < DIRECTIONAL_FROM {
                continue;
            }
            assert_eq!(ours.is_some(), theirs.is_some(), "bar {bar} column {column}: known at once");
            if let Some((ours, theirs)) = ours.zip(theirs) {
                compared[column] += 1;
                let off = (ours - theirs).abs() / theirs.abs().max(f64::MIN_POSITIVE);
                assert!(off <= TOLERANCE, "bar {bar} column {column}: {ours} instead of {theirs}");
            }
        }
    }
    assert!(compared.iter().all(|values| *values >= 300), "{compared:?}");
}
