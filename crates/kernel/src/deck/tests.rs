//! Tests of `deck`.

use super::*;

fn row(line: u32, price: &str, origins: &str, destinations: &str) -> NewRate {
    let list = |text: &str| {
        text.split(", ")
            .filter(|p| !p.is_empty())
            .map(|p| Prefix::parse(p).unwrap())
            .collect::<Vec<_>>()
    };
    NewRate {
        rate: Rate::sample(price, Micros::MIN..Micros::MAX, line),
        destinations: list(destinations).into_iter().map(Destination::Prefix).collect(),
        origins: list(origins),
    }
}

fn deck(rows: Vec<NewRate>) -> Result<Deck, Box<Conflict>> {
    Deck::build("d".into(), "USD".into(), vec!["a.csv".into()], rows)
}

fn line(deck: &Deck, to: &str, from: Option<&str>) -> Option<u32> {
    let rated = Rated::Number(Number::parse(to).unwrap());
    let hit = deck.lookup(Direction::Termination, rated, from.and_then(Number::parse), 0)?;
    Some(deck.rate(hit).line)
}

#[test]
fn the_origin_filters_before_the_destination_is_compared() {
    let deck = deck(vec![
        row(2, "0.1375", "", "32"),
        row(3, "0.0387", "30, 31, 32, 33, 44", "32455, 32460"),
        row(4, "0.5576", "", "32460"),
        row(5, "0.0500", "1, 1242", "32460"),
    ])
    .unwrap();
    assert_eq!(
        line(&deck, "+32455123456", Some("+13035550199")),
        Some(2),
        "32455 is for Europe only"
    );
    assert_eq!(line(&deck, "+32455123456", Some("+33123456789")), Some(3));
    assert_eq!(line(&deck, "+32455123456", None), Some(2), "an unknown origin takes the blank row");
    assert_eq!(line(&deck, "+32460123456", Some("+12425550100")), Some(5));
    assert_eq!(line(&deck, "+32460123456", None), Some(4));
    assert_eq!(line(&deck, "+49301234567", None), None);
    let considered = deck.consider(
        Direction::Termination,
        Rated::Number(Number::parse("+32455123456").unwrap()),
        Number::parse("+13035550199"),
        0,
    );
    let told: Vec<_> = considered.iter().map(|c| (deck.rate(c.hit).line, c.lost)).collect();
    assert_eq!(told, [(2, None), (3, Some(Lost::Origin))]);
}

#[test]
fn two_answers_are_refused() {
    let conflict =
        deck(vec![row(2, "0.1", "44, 33", "32"), row(3, "0.2", "33", "31, 32")]).unwrap_err();
    assert_eq!((conflict.first, conflict.second), ((0, 2), (0, 3)));
    assert_eq!((conflict.destination.as_str(), conflict.origin.as_str()), ("32", "33"));
    assert!(
        deck(vec![row(2, "0.1", "", "32"), row(3, "0.2", "33", "32")]).is_ok(),
        "blank and listed differ"
    );
    assert!(
        deck(vec![row(2, "0.1", "", "32"), row(3, "0.1", "", "32")]).is_ok(),
        "the same price is one answer"
    );
    let mut dated = vec![row(2, "0.1", "", "32"), row(3, "0.2", "", "32")];
    dated[0].rate.effective = 0..100;
    dated[1].rate.effective = 100..200;
    let deck_ = deck(dated.clone()).unwrap();
    assert_eq!(line(&deck_, "+3212345678", None), Some(2));
    dated[1].rate.effective = 99..200;
    assert!(deck(dated).is_err());
}

/// A row for each origin, in two periods, beside one for any origin and one for the origins of
/// a longer prefix.
#[test]
fn many_origins_of_one_destination() {
    let mut rows: Vec<NewRate> = Vec::new();
    for number in 0..400_u32 {
        let origin = (1000 + number).to_string();
        for (period, line) in [(0..100, 2 * number + 10), (100..200, 2 * number + 11)] {
            let row = row(line, &format!("0.{line}"), &origin, "32");
            rows.push(NewRate { rate: Rate { effective: period, ..row.rate }, ..row });
        }
    }
    rows.push(row(2, "0.1", "", "32"));
    rows.push(row(3, "0.2", "10071, 10072", "32"));
    rows.reverse();
    let deck = deck(rows.clone()).unwrap();
    let rated = Rated::Number(Number::parse("+3212345678").unwrap());
    let line = |from: &str, at: Micros| {
        deck.lookup(Direction::Termination, rated, Number::parse(from), at)
            .map(|hit| deck.rate(hit).line)
    };
    for number in 0..400_u32 {
        let from = format!("+{}00000", 1000 + number);
        let lines = [5, 105, 205].map(|at| line(&from, at).unwrap());
        assert_eq!(lines, [2 * number + 10, 2 * number + 11, 2], "{from}");
    }
    assert_eq!(
        [line("+100710000", 5), line("+4412345678", 5), line("anonymous", 5)],
        [Some(3), Some(2), Some(2)]
    );
    rows.push(row(1000, "0.3", "1007", "32"));
    let conflict =
        super::Deck::build("d".into(), "USD".into(), vec!["a.csv".into()], rows).unwrap_err();
    assert_eq!(
        (conflict.first, conflict.second, conflict.origin.as_str()),
        ((0, 24), (0, 1000), "1007")
    );
}

#[test]
fn billed_seconds() {
    let table = [
        // (initial, increment, minimum, seconds, billed)
        (90, 60, 0, 91, 150),
        (30, 18, 0, 31, 48),
        (60, 60, 0, 300, 300),
        (60, 60, 0, 370, 420),
        (60, 60, 0, 1, 60),
        (60, 60, 0, 60, 60),
        (60, 60, 0, 61, 120),
        (1, 1, 10, 7, 10),
        (1, 1, 0, 0, 0),
        (0, 6, 0, 1, 6),
        (60, 60, 30, 0, 0),
        (60, 6, 90, 1, 90),
    ];
    for (initial, increment, minimum, seconds, billed) in table {
        let increments = Increments { initial, increment, minimum };
        assert_eq!(
            increments.billed(seconds),
            Some(billed),
            "{initial}/{increment} minimum {minimum}: {seconds} s"
        );
    }
    assert_eq!(Increments { initial: 1, increment: 86_400, minimum: 0 }.billed(u32::MAX), None);
}
