//! The bots of `examples/bots` have the conversations that they are for.

use aldis::{
    api::Bot,
    bot::{CallFailure, CallResult, Given, Input, Position, StepId, Then, Values, compile, request, run},
};

/// What a bot goes on with.
enum Next<'a> {
    Begin,
    Heard(Position, &'a str),
    Called(StepId, CallResult),
}

/// The bot's lines of a conversation with these lines of a customer, who writes within the hours or not, and of a service: `= BODY`, or `=` when
/// it does not answer.
fn talk(bot: &str, is_open: bool, others: &[&str]) -> Vec<String> {
    let file = format!("{}/examples/bots/{bot}.yaml", env!("CARGO_MANIFEST_DIR"));
    let bot: Bot = serde_saphyr::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(bot.metadata.name.as_deref(), std::path::Path::new(&file).file_stem().unwrap().to_str());
    let compiled = compile(&bot.spec, &|_| Ok(())).unwrap_or_else(|faults| panic!("{faults:?}"));
    let given = Given { customer_number: "+15559870001", message_text: "Hi", is_open, ..Given::default() };
    let (mut values, mut next, mut lines) = (Values::default(), Next::Begin, Vec::new());
    let mut others = others.iter();
    loop {
        let input = match &next {
            Next::Begin => Input::Begin,
            Next::Heard(at, "…") => Input::TimedOut(*at),
            Next::Heard(at, said) => Input::Answer(*at, said.trim_start_matches("> ")),
            Next::Called(step, result) => Input::Called(*step, result),
        };
        let turn = run(&compiled, input, &mut values, &given);
        lines.extend(turn.texts.iter().map(|text| format!("< {text}")));
        let mut line = || {
            let line = others.next().expect("the bot waits for another line");
            lines.push((*line).to_owned());
            *line
        };
        next = match turn.then {
            Then::Wait { at, .. } => Next::Heard(at, line()),
            Then::Call { step } => {
                let request = request(&compiled, step, &values, &given).unwrap().unwrap();
                let answer = line().strip_prefix("=").expect("a service answers");
                lines.push(format!("{:?} {}{}", request.method, request.origin, request.path));
                let failed = || CallResult::Failed(CallFailure::TimedOut);
                Next::Called(
                    step,
                    answer.strip_prefix(' ').map_or_else(failed, |body| CallResult::Answered(body.into())),
                )
            }
            Then::HandOff { priority, note } => {
                lines.push(format!("to the queue, {priority}: {}", note.unwrap_or_default()));
                return lines;
            }
            Then::Finish { note } => {
                lines.push(format!("closed: {}", note.unwrap_or_default()));
                return lines;
            }
            Then::Fail(failure) => {
                lines.push(format!("failed: {failure:?}"));
                return lines;
            }
        };
    }
}

#[test]
fn each_example_has_the_conversations_that_it_is_for() {
    let hours = "< Hello. Somebody is here from nine to six, Monday to Friday.";
    let hello = "< What is it about? 1) an order 2) an invoice 3) something else";
    let soon = "< Thank you. Somebody will be with you shortly.";
    let invoice = "< What is the number of the invoice?";
    let sorry = "< Sorry that this takes so long. Shall we call you tomorrow instead? Write YES, or NO to wait on.";
    let how = "< How did we do, from 1 (bad) to 5 (good)?";
    let number = "< What is the number of your order? It begins with A.";
    let look_up = "Get https://orders.example.com/v1/orders/A1234";
    let anything = "< Anything else? Write it, and somebody answers you. If not, you need do nothing.";
    let languages = "< 1) English 2) Español";
    let cases: &[(&str, bool, &[&str])] = &[
        ("greeting", true, &[hours, hello, "> 2", invoice, "> A-1234", soon, "to the queue, 0: Topic: invoice A-1234"]),
        (
            "greeting",
            true,
            &[
                hours,
                hello,
                "> hm",
                "< Please write 1, 2 or 3.\nWhat is it about? 1) an order 2) an invoice 3) something else",
                "> 9",
                soon,
                "to the queue, 0: Topic:",
            ],
        ),
        (
            "greeting",
            true,
            &[
                hours,
                hello,
                "…",
                "< We did not hear from you. Somebody will write to you all the same.",
                "failed: TimedOut",
            ],
        ),
        (
            "apology-on-queue-timeout",
            false,
            &[
                "< Sorry, nobody is here any more today. We have your message, and will answer tomorrow.",
                "to the queue, 1:",
            ],
        ),
        ("survey-on-end", true, &[how, "> 5", "< Thank you!", "closed: Mark: 5"]),
        (
            "survey-on-end",
            true,
            &[how, "> 1", "< We are sorry. What went wrong?", "> Too slow", "to the queue, 9: Mark 1: Too slow"],
        ),
        ("survey-on-end", true, &[how, "…", "closed: Mark:"]),
        ("apology-on-queue-timeout", true, &[sorry, "> No", "to the queue, 1:"]),
        (
            "apology-on-queue-timeout",
            true,
            &[sorry, "> please", "< We will call +15559870001 tomorrow morning.", "closed: Wants to be called"],
        ),
        ("apology-on-queue-timeout", true, &[sorry, "…", "to the queue, 1:"]),
        (
            "language-choice",
            true,
            &[
                languages,
                "> ESPAÑOL",
                "< ¿En qué podemos ayudarle?",
                "> Mi pedido",
                "< Gracias, le contestamos enseguida.",
                "to the queue, 0: es: Mi pedido",
            ],
        ),
        (
            "order-status",
            true,
            &[
                number,
                "> A1234",
                r#"= {"id": "A1234", "state": "sent", "arrives": "Friday"}"#,
                look_up,
                "< Order A1234 is on its way and arrives on Friday.",
                anything,
                "…",
                "closed: Order A1234: sent",
            ],
        ),
        (
            "order-status",
            true,
            &[
                number,
                "> 17",
                "< That is no number of an order, such as A1234.\nWhat is the number of your order? It begins with A.",
                "> A1234",
                r#"= {"id": "A1234", "state": "packed"}"#,
                look_up,
                "< Order A1234 is being packed.",
                anything,
                "> Please hurry",
                "to the queue, 0: Order A1234: packed Please hurry",
            ],
        ),
        (
            "order-status",
            true,
            &[
                number,
                "> A1234",
                "=",
                look_up,
                "< We cannot see order A1234 at the moment. Somebody will look for you.",
                "to the queue, 0: Order A1234:",
            ],
        ),
        ("language-choice", true, &[languages, "…", "< What can we do for you?", "…", "to the queue, 0: :"]),
    ];
    for (bot, is_open, expected) in cases {
        let is_others = |line: &&&str| line.starts_with("> ") || line.starts_with('=') || **line == "…";
        let others: Vec<&str> = expected.iter().filter(is_others).copied().collect();
        let lines = talk(bot, *is_open, &others);
        let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
        assert_eq!(lines, *expected, "{bot}");
    }
}

#[test]
fn no_example_is_left_out() {
    let folder = format!("{}/examples/bots", env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let source = include_str!("bot_examples.rs");
    for name in &names {
        assert!(
            source.contains(&format!("\"{}\",", name.trim_end_matches(".yaml"))),
            "{name} has no conversation here"
        );
    }
    assert!(names.len() >= 5);
}
