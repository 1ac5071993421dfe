//! Who is let in, from outside and with a real configuration.

use crate::support::daemon::Installation;
use crate::support::origin::Origin;

#[test]
fn a_read_token_names_and_proxies_are_read_from_the_configuration_and_hold_at_once_after_a_reload() {
    let origin = Origin::start();
    let feed = format!("[[feed]]\nname = \"world\"\nurl = \"{}\"\n", origin.url("/feed"));
    let house = Installation::new(&feed);
    let daemon = house.start();
    assert_eq!(daemon.get("/all.atom").status, 200);
    house.serve_with(
        "read_token = \"a token for readers\"\nhosts = [\"News.example\"]\ntrusted_proxies = [\"127.0.0.1/32\"]\n",
        &feed,
    );
    assert!(house.run(&["reload"]).status.success(), "the command needs no token");
    assert_eq!(daemon.get("/all.atom").status, 401);
    assert_eq!(daemon.get("/healthz").status, 200);
    let bearer = ("Authorization", "Bearer a token for readers");
    assert_eq!(daemon.get_with("/all.atom", &[bearer]).status, 200);
    // Behind the proxy each guesser has a count of their own.
    let guess = |from: &str| daemon.get_with("/all.atom", &[("X-Forwarded-For", from), ("Authorization", "Bearer x")]);
    let statuses: Vec<u16> = (0..11).map(|_| guess("203.0.113.9").status).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 429]);
    assert_eq!(guess("203.0.113.10").status, 401);
    assert_eq!(daemon.get_with("/all.atom", &[bearer, ("X-Forwarded-For", "203.0.113.10")]).status, 200);
    assert_eq!(daemon.stop(), Some(0));
}
