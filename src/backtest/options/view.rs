//! What detectors ask of a chain, put together at the end of a bar.

use super::{
    Chain, ChainSettings, ChainView, ContractsAt, FlipView, GammaView, Member, Right, Unpriced, percentile_rank,
};
use crate::backtest::{Input, Known};

/// Sessions whose option volume is compared with.
const VOLUME_SESSIONS: usize = 14;
/// How many of them must be there, as for relative volume.
const VOLUME_MIN_SESSIONS: usize = 10;

/// Values of the same clock slot in earlier sessions, ascending by time. Those of another weight do not belong there.
#[derive(Debug, Clone, Default)]
pub struct ChainHistory {
    /// Minus net gamma exposure.
    pub negative_gex: Vec<f64>,
    /// Size of the gamma exposure of the strike nearest to the flip level.
    pub flip_gex: Vec<f64>,
    /// Size of the net delta of dealers.
    pub dealer_delta: Vec<f64>,
    /// Option volume of the session so far.
    pub volume: Vec<f64>,
}

/// What the bar before leaves for the next one of its session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlipBefore {
    /// The flip level at its end.
    pub level: Known<Option<f64>>,
    /// Its close.
    pub close: f64,
}

/// A chain at the end of a bar.
#[derive(Debug, Clone, Copy)]
pub struct ChainAt {
    /// What detectors ask of it.
    pub view: Known<ChainView>,
    /// What the next bar asks of this one; `None` without a price.
    pub flip: Option<FlipBefore>,
    /// Option volume of the session so far, over the contracts in scope.
    pub volume: f64,
    /// Why contracts have no volatility.
    pub unpriced: Unpriced,
}

impl ChainAt {
    /// Looks at the contracts at the end of a bar, with the same slot of earlier sessions and the bar before.
    pub fn new(
        at: &ContractsAt<'_>,
        settings: &ChainSettings,
        history: &ChainHistory,
        before: Option<FlipBefore>,
    ) -> Self {
        let chain = match Chain::new(at, settings) {
            Ok(chain) => chain,
            Err(missing) => {
                let flip = at.spot.ok().map(|close| FlipBefore { level: Err(missing), close });
                return Self { view: Err(missing), flip, volume: 0.0, unpriced: Unpriced::default() };
            }
        };
        let covered = if chain.is_covered() { Ok(()) } else { Err(Input::ChainCoverage) };
        let volume: f64 = chain.members.iter().map(|member| member.contract.volume).sum();
        let is_call = |member: &&Member| member.contract.right == Right::Call;
        let calls: f64 = chain.members.iter().filter(is_call).map(|member| member.contract.volume).sum();
        let view = ChainView {
            minutes_to_expiry: chain.members.iter().map(|member| member.minutes).fold(f64::INFINITY, f64::min),
            expires_today: chain
                .members
                .iter()
                .any(|member| member.contract.expiry == at.session && !member.contract.settles_at_open),
            call_volume_share: (volume > 0.0).then(|| calls / volume),
            volume_ratio: volume_ratio(volume, &history.volume),
            gamma: covered.map(|()| gamma_view(&chain, history)),
            flip: covered.and_then(|()| flip_view(&chain, history, before)),
            pin: chain.pin(at.session),
        };
        let level = covered.map(|()| chain.flip_level());
        let flip = Some(FlipBefore { level, close: chain.spot });
        Self { view: Ok(view), flip, volume, unpriced: chain.unpriced }
    }
}

fn volume_ratio(volume: f64, earlier: &[f64]) -> Known {
    let last = &earlier[earlier.len().saturating_sub(VOLUME_SESSIONS)..];
    if last.len() < VOLUME_MIN_SESSIONS {
        return Err(Input::WarmUp);
    }
    let mean = last.iter().sum::<f64>() / last.len() as f64;
    if mean > 0.0 { Ok(volume / mean) } else { Err(Input::Volume) }
}

fn gamma_view(chain: &Chain, history: &ChainHistory) -> GammaView {
    let net_gex = chain.net_gex();
    let dealer_delta = chain.dealer_delta();
    GammaView {
        net_gex,
        negative_gex_rank: percentile_rank(&history.negative_gex, -net_gex),
        call_wall: chain.wall(Right::Call),
        put_wall: chain.wall(Right::Put),
        dealer_delta,
        dealer_delta_rank: percentile_rank(&history.dealer_delta, dealer_delta.abs()),
    }
}

fn flip_view(chain: &Chain, history: &ChainHistory, before: Option<FlipBefore>) -> Known<Option<FlipView>> {
    let FlipBefore { level, close } = before.ok_or(Input::WarmUp)?;
    let Some(level) = level? else { return Ok(None) };
    let nearest = chain
        .gex_by_strike(|_| true)
        .into_iter()
        .min_by(|one, other| (one.0 - level).abs().total_cmp(&(other.0 - level).abs()));
    let gex = nearest.map_or(0.0, |(_, gex)| gex);
    let gex_rank = percentile_rank(&history.flip_gex, gex.abs());
    Ok(Some(FlipView { level, previous_close: close, gex, gex_rank }))
}
