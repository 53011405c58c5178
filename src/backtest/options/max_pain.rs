//! The strike at which holders of an expiry would get least.

use super::{Chain, Member, PinView};

impl Chain {
    /// The nearest expiry that settles at a close, and in it the strike that minimises Σ intrinsic value · weight; of several
    /// the nearest to the price, then the lower one. `None`: nothing of weight expires at a close.
    pub fn pin(&self, session: jiff::civil::Date) -> Option<PinView> {
        let at_close = || self.members.iter().filter(|member| !member.contract.settles_at_open);
        let nearest = at_close().min_by(|one, other| one.minutes.total_cmp(&other.minutes))?;
        let (expiry, minutes_to_expiry) = (nearest.contract.expiry, nearest.minutes);
        let of_expiry: Vec<_> = at_close().filter(|member| member.contract.expiry == expiry).collect();
        let total: f64 = of_expiry.iter().map(|member| member.weight).sum();
        if total <= 0.0 {
            return None;
        }
        let pain = |strike: f64| -> f64 {
            let of = |member: &&Member| member.weight * member.contract.right.intrinsic(strike, member.contract.strike);
            of_expiry.iter().map(of).sum()
        };
        let mut strikes: Vec<_> = of_expiry.iter().map(|member| member.contract.strike).collect();
        strikes.dedup();
        let pains = strikes.into_iter().map(|strike| (pain(strike), (strike - self.spot).abs(), strike));
        let (_, _, strike) = pains.min_by(|one, other| {
            one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1)).then(one.2.total_cmp(&other.2))
        })?;
        let at_strike = |member: &&&Member| member.contract.strike == strike;
        let weight: f64 = of_expiry.iter().filter(at_strike).map(|member| member.weight).sum();
        let gex = self.gex_by_strike(|member| {
            member.contract.strike == strike && member.contract.expiry == expiry && !member.contract.settles_at_open
        });
        Some(PinView {
            strike,
            weight,
            share: weight / total,
            gex: gex.first().map(|(_, gex)| *gex),
            minutes_to_expiry,
            expires_today: expiry == session,
        })
    }
}
