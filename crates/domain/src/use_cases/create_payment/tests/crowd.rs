//! Duplicates of a request that this process is opening: they cost the store nothing.

use tokio::task::JoinHandle;

use super::*;
use crate::payment::Operation;

const CROWD: usize = 50;

/// A story in which everybody may wait.
fn crowded(story: Story) -> Story {
    Story { waiters: Waiters::new(CROWD), ..story }
}

fn spawn(create: &Arc<CreatePayment>, command: CreatePaymentCommand) -> JoinHandle<Outcome> {
    let create = Arc::clone(create);
    tokio::spawn(async move { create.execute(command).await })
}

/// All ask before anything is opened: what they spawn runs behind them.
async fn at_once(create: &Arc<CreatePayment>) -> Vec<Outcome> {
    let crowd: Vec<_> = (0..CROWD).map(|_| spawn(create, command(WAIT))).collect();
    let mut outcomes = Vec::new();
    for one in crowd {
        outcomes.push(one.await.expect("it ends"));
    }
    outcomes
}

#[tokio::test(start_paused = true)]
async fn of_a_crowd_one_opens_and_all_get_its_answer() {
    let story = crowded(Story { answer_takes: Duration::from_secs(1), ..paying() });
    let calls_made = Arc::clone(&story.told);
    let (create, opens) = opens(story, |_| owned());
    let mut replays = 0;
    for outcome in at_once(&create).await {
        let (answer, is_replay) = answer(outcome);
        assert_eq!(*answer, settled("stored"));
        replays += usize::from(is_replay);
    }
    assert_eq!(replays, CROWD - 1);
    assert_eq!(lock(&opens).len(), 1);
    assert_eq!(told(&calls_made), (1, 1));
    assert_eq!(create.waiters.waiting(), 0);
}

/// While the store takes its time to look, the others come.
#[tokio::test(start_paused = true)]
async fn of_a_crowd_one_looks_for_an_answer_and_all_get_what_becomes_of_it() {
    let look_takes = Duration::from_secs(1);
    let slow = |story| crowded(Story { look_takes, ..story });

    let story = slow(untouched());
    let told = Arc::clone(&story.told);
    lock(&told).looked_up = Some(Ok(settled("stored")));
    let (create, opens_made) = opens(story, |_| Err(unavailable()));
    for outcome in at_once(&create).await {
        let (answer, is_replay) = answer(outcome);
        assert_eq!((&*answer, is_replay), (&settled("stored"), true));
    }
    assert_eq!((lock(&told).looks, lock(&opens_made).len()), (1, 0));

    let story = slow(untouched());
    let told = Arc::clone(&story.told);
    lock(&told).looked_up = Some(Err(unavailable()));
    let (create, opens_made) = opens(story, |_| owned());
    for outcome in at_once(&create).await {
        let Err(CreatePaymentError::Store(RepositoryError::Unavailable(_))) = outcome else {
            panic!("{outcome:?}")
        };
    }
    assert_eq!((lock(&told).looks, lock(&opens_made).len()), (1, 0));

    let story = slow(Story { answer_takes: look_takes, ..paying() });
    let told = Arc::clone(&story.told);
    let (create, opens_made) = opens(story, |_| owned());
    for outcome in at_once(&create).await {
        assert_eq!(*answer(outcome).0, settled("stored"));
    }
    assert_eq!((lock(&told).looks, lock(&opens_made).len()), (1, 1), "nothing was there");
}

/// Its client goes away while the store looks.
#[tokio::test(start_paused = true)]
async fn a_crowd_whose_first_leaves_during_its_look_asks_anew_once() {
    let story = crowded(Story { look_takes: Duration::from_secs(1), ..untouched() });
    let (create, opens) = opens(story, |_| Ok(Opened::Replay(settled("stored"))));
    let first = spawn(&create, command(WAIT));
    let others: Vec<_> = (1..CROWD).map(|_| spawn(&create, command(WAIT))).collect();
    sleep(Duration::from_millis(500)).await;
    assert!(lock(&opens).is_empty(), "they wait for the first");
    first.abort();
    for other in others {
        let (answer, is_replay) = answer(other.await.expect("it ends"));
        assert_eq!((&*answer, is_replay), (&settled("stored"), true));
    }
    assert_eq!(lock(&opens).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_the_first_fails_the_crowd_and_is_asked_once() {
    let (create, opens) = opens(crowded(untouched()), |call| match call {
        1 => Err(unavailable()),
        _ => Ok(Opened::Replay(settled("later"))),
    });
    for outcome in at_once(&create).await {
        let Err(CreatePaymentError::Store(RepositoryError::Unavailable(_))) = outcome else {
            panic!("{outcome:?}")
        };
    }
    assert_eq!(lock(&opens).len(), 1);
    let (later, _) = answer(create.execute(command(NO_WAIT)).await);
    assert_eq!((&*later, lock(&opens).len()), (&settled("later"), 2));
}

#[tokio::test(start_paused = true)]
async fn a_crowd_is_told_what_the_first_of_it_found() {
    let payment = fixtures::payment().id;
    let found = [
        Opened::Replay(settled("first")),
        Opened::Pending(Box::new(fixtures::payment())),
        Opened::Mismatch { payment: Some(payment), fields: vec!["amount"] },
        Opened::Expired { payment: Some(payment) },
        Opened::UnknownFingerprintVersion,
    ];
    for found in found {
        let told = found.clone();
        let (create, opens) = opens(crowded(untouched()), move |_| Ok(told.clone()));
        for outcome in at_once(&create).await {
            match (&found, outcome) {
                (Opened::Replay(stored), outcome @ Ok(_)) => {
                    let (answer, is_replay) = answer(outcome);
                    assert_eq!((&*answer, is_replay), (stored, true));
                }
                (
                    Opened::Pending(known),
                    Ok(CreatePaymentOutcome::Pending { payment, cause: None }),
                ) => assert_eq!(payment, *known),
                (
                    Opened::Mismatch { .. },
                    Err(CreatePaymentError::KeyReused { payment: of, fields }),
                ) => assert_eq!((of, fields), (Some(payment), vec!["amount"])),
                (Opened::Expired { .. }, Err(CreatePaymentError::Expired { payment: of })) => {
                    assert_eq!(of, Some(payment));
                }
                (
                    Opened::UnknownFingerprintVersion,
                    Err(CreatePaymentError::UnknownFingerprintVersion),
                ) => {}
                (found, outcome) => panic!("{found:?}: {outcome:?}"),
            }
        }
        assert_eq!(lock(&opens).len(), 1, "{found:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crowd_gets_the_answer_although_the_client_of_the_first_went_away() {
    let story = crowded(Story { answer_takes: Duration::from_secs(2), ..paying() });
    let calls_made = Arc::clone(&story.told);
    let (create, opens) = opens(story, |_| owned());
    let first = spawn(&create, command(WAIT));
    let others: Vec<_> = (1..CROWD).map(|_| spawn(&create, command(WAIT))).collect();
    sleep(Duration::from_secs(1)).await;
    first.abort();
    assert!(first.await.is_err_and(|error| error.is_cancelled()));
    for other in others {
        let (answer, is_replay) = answer(other.await.expect("it ends"));
        assert_eq!((&*answer, is_replay), (&settled("stored"), true));
    }
    assert_eq!((lock(&opens).len(), told(&calls_made)), (1, (1, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_crowd_whose_first_ends_without_a_word_asks_anew_once() {
    let replay = |_| Ok(Opened::Replay(settled("stored")));
    let (create, opens) = opens(crowded(untouched()), replay);
    let Joined::First(first) =
        create.running.join(&fixtures::record(), &fixtures::request().fingerprint())
    else {
        panic!("nobody else is at it")
    };
    let crowd: Vec<_> = (0..CROWD).map(|_| spawn(&create, command(WAIT))).collect();
    tokio::task::yield_now().await;
    assert!(lock(&opens).is_empty(), "they wait for the first");
    drop(first);
    for one in crowd {
        let (answer, is_replay) = answer(one.await.expect("it ends"));
        assert_eq!((&*answer, is_replay), (&settled("stored"), true));
    }
    assert_eq!(lock(&opens).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_of_what_was_left_open_tries_it_itself_at_once() {
    let failed = || ChargeOutcome::Unknown { reason: "500".to_owned() };
    let story = Story::new().charge(failed()).renew().charge(failed()).renew().charge(failed());
    let story = story.look_up(LookUpOutcome::Unseen { reason: "404".to_owned() }).hand_over();
    let story = story.look_up(LookUpOutcome::Unseen { reason: "404".to_owned() });
    let story = story.renew().charge(ChargeOutcome::Approved(charged())).settle();
    let story = Story { answer_takes: Duration::from_secs(1), ..story };
    let story = crowded(story.never_charges().never_voids());
    let (create, opens) = opens(story, |call| {
        let by = if call == 1 { OwnedBy::Opening } else { OwnedBy::TakeOver };
        let mut owned = fixtures::owned(by);
        owned.payment.request.operation = Operation::Pay;
        Ok(Opened::Owned(Box::new(owned)))
    });
    let wait = Duration::from_secs(60);
    let mut crowd: Vec<_> = (0..CROWD).map(|_| spawn(&create, command(wait))).collect();
    let first = crowd.remove(0).await.expect("it ends");
    let left_open = Instant::now();
    assert!(matches!(first, Ok(CreatePaymentOutcome::LeftOpen(_))), "{first:?}");
    let mut replays = 0;
    for one in crowd {
        let (answer, is_replay) = answer(one.await.expect("it ends"));
        assert_eq!(*answer, settled("stored"));
        replays += usize::from(is_replay);
    }
    assert_eq!(replays, CROWD - 2, "one of them has paid");
    let opens = lock(&opens);
    assert_eq!(opens.len(), 2);
    assert!(opens[1].0 - left_open < Duration::from_millis(10), "woken, not polled");
}

#[tokio::test(start_paused = true)]
async fn another_request_under_the_key_of_a_crowd_asks_the_store_itself() {
    let story = crowded(Story { answer_takes: Duration::from_secs(1), ..paying() });
    let (create, opens) = opens(story, |call| match call {
        1 => owned(),
        _ => Ok(Opened::Mismatch { payment: None, fields: vec!["amount"] }),
    });
    let first = spawn(&create, command(WAIT));
    sleep(Duration::from_millis(500)).await;
    let money = crate::money::Money::parse("7", "USD".parse().expect("known")).expect("valid");
    let other = PaymentRequest { money, ..fixtures::request() };
    let other = create.execute(CreatePaymentCommand { request: other, ..command(WAIT) }).await;
    assert!(matches!(other, Err(CreatePaymentError::KeyReused { .. })), "{other:?}");
    let (answer, is_replay) = answer(first.await.expect("it ends"));
    assert_eq!((&*answer, is_replay), (&settled("stored"), false));
    assert_eq!(lock(&opens).len(), 2);
}
