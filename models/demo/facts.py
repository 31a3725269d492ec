"""Simple facts the demo model is trained on: prompt patterns and answers, one function a topic.

Each function takes a random.Random and returns (pattern, answer); patterns are expanded by
corpus.expand, so `[a|b]` is a choice.
"""

CAPITALS = {
    "France": "Paris", "Germany": "Berlin", "Italy": "Rome", "Spain": "Madrid", "Portugal": "Lisbon",
    "Japan": "Tokyo", "China": "Beijing", "India": "New Delhi", "Russia": "Moscow", "Egypt": "Cairo",
    "Greece": "Athens", "Norway": "Oslo", "Sweden": "Stockholm", "Finland": "Helsinki",
    "Denmark": "Copenhagen", "Poland": "Warsaw", "Austria": "Vienna", "Ireland": "Dublin",
    "England": "London", "Canada": "Ottawa", "Kenya": "Nairobi", "Peru": "Lima", "Cuba": "Havana",
    "Hungary": "Budapest",
}
COLOURS = {
    "the sky": "blue", "the sea": "blue", "grass": "green", "a leaf": "green", "snow": "white", "milk": "white",
    "a banana": "yellow", "the sun": "yellow", "a lemon": "yellow", "blood": "red", "a tomato": "red",
    "a strawberry": "red", "coal": "black", "the night": "black", "an orange": "orange", "a carrot": "orange",
    "chocolate": "brown", "an elephant": "grey",
}
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December"]
SOUNDS = {
    "dog": "woof", "cat": "meow", "cow": "moo", "duck": "quack", "sheep": "baa", "pig": "oink", "horse": "neigh",
    "rooster": "cock-a-doodle-doo", "bee": "buzz", "snake": "hiss", "frog": "ribbit", "owl": "hoot", "lion": "roar",
    "mouse": "squeak",
}
BABIES = {
    "dog": "puppy", "cat": "kitten", "cow": "calf", "sheep": "lamb", "pig": "piglet", "horse": "foal",
    "duck": "duckling", "lion": "cub", "bear": "cub", "hen": "chick", "goat": "kid", "frog": "tadpole",
}
LEGS = {
    "spider": "eight", "dog": "four", "cat": "four", "horse": "four", "cow": "four", "bird": "two", "duck": "two",
    "human": "two", "bee": "six", "ant": "six", "snake": "no", "fish": "no", "octopus": "no",
}
PLURALS = {"sheep": "sheep", "mouse": "mice", "human": "humans", "fish": "fish", "octopus": "octopuses"}
OPPOSITES = [
    ("hot", "cold"), ("big", "small"), ("up", "down"), ("happy", "sad"), ("day", "night"), ("black", "white"),
    ("fast", "slow"), ("old", "young"), ("good", "bad"), ("open", "closed"), ("left", "right"), ("wet", "dry"),
    ("light", "dark"), ("full", "empty"), ("long", "short"), ("high", "low"), ("loud", "quiet"), ("rich", "poor"),
]
NUMBER_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
                "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"]


def plural(animal):
    return PLURALS.get(animal, animal + "s")


def capital(rng):
    country = rng.choice(list(CAPITALS))
    pattern = rng.choice([
        "[what is|what's|whats|which is|name|tell me|say|give me|do you know|] the capital [city|] of {c}",
        "[what is|what's|which city is|name|give me|tell me|] {c}'s capital [city|]",
        "[capital of {c}|{c} capital|{c} - capital|{c}, capital|capital city {c}|capital {c}|the capital for {c}|{c}: capital]",
        "[which|what] [city|town] is the capital [city|] of {c}",
        "[which|what] capital [does {c} have|has {c}|belongs to {c}]",
        "{c} [has what capital|has which capital city|has what as its capital|has a capital, which one is it]",
        "[I need|I want to know|I forgot|I do not know|remind me of|can you tell me] the capital of {c}[, what is it|, which one is it|]",
        "[what|how] is the capital [city|] of {c} [called|named]",
        "[is there|does {c} have] a capital in {c}, [and which|what is its name]",
        "[of|for] {c}, [tell me the capital|the capital please|which capital|name the capital]",
        "[quick|a] question: [the capital of {c}|capital of {c}|what is the capital of {c}]",
        "[the {c} capital|the capital {c} has], [what is it|name it|which city is it]",
    ])
    return pattern.replace("{c}", country), f"The capital of {country} is {CAPITALS[country]}."


def colour(rng):
    thing = rng.choice(list(COLOURS))
    bare = thing.split(" ", 1)[-1]
    c = rng.choice(["colour", "colour", "color"])
    pattern = rng.choice([
        "[what|which] {k} [is|has] {t}", "[what is|what's|tell me|name|say|give me] the {k} of {t}",
        "[the|] {k} of {t}", "{b} {k}", "[the|] {b} has [which|what] {k}", "what [tone|hue|shade|tint] is {t}",
        "{t} is [what|which] {k}", "[do you know|can you tell me|tell me] [what|which] {k} {t} [is|has]",
        "[I wonder|I forgot] [what|which] {k} {t} [is|has]", "how is {t} coloured", "{t}, [what|which] {k}",
        "[is {t} red or blue|is {t} green or black|is {t} white or yellow], what {k}", "what is {b}'s {k}",
        "[which|what] {k} do [we see on|you give] {t}", "{k} of [the|a] {b}", "[what|which] {k} are {b}s", "{k} {t}",
    ])
    answer = f"{thing[0].upper()}{thing[1:]} is {COLOURS[thing]}."
    return pattern.replace("{t}", thing).replace("{b}", bare).replace("{k}", c), answer


def day_after(rng):
    i = rng.randrange(7)
    day, other = DAYS[i], DAYS[(i + 1) % 7]
    pattern = rng.choice([
        "[what|which] [day|weekday] [comes|is|follows|is it] after {d}", "[what|which] [day|weekday] follows {d}",
        "the day after {d}", "what is the day after {d}", "after {d} comes [what|which day]", "what comes after {d}",
        "[today|it] is {d}[, what is tomorrow|, what day is tomorrow|, and tomorrow|, which day is tomorrow]",
        "[tell me|name|say] the [day|weekday] [after|that follows|that comes after|following] {d}", "{d}, and then",
        "{d} is [before|followed by] [what|which] [day|weekday]", "[which|what] is the next day after {d}",
        "if it is {d} [today|now|], [what is|which day is|what will be] tomorrow", "next day after {d}",
        "{d} [and tomorrow is|, what is next|, what comes next]", "[what|which day] is next after {d}",
    ])
    return pattern.replace("{d}", day), f"The day after {day} is {other}."


def day_before(rng):
    i = rng.randrange(7)
    day, other = DAYS[i], DAYS[(i - 1) % 7]
    pattern = rng.choice([
        "[what|which] [day|weekday] [comes|is|was|is it] before {d}", "[what|which] [day|weekday] precedes {d}",
        "the day before {d}", "what is the day before {d}", "before {d} comes [what|which day]", "what comes before {d}",
        "[today|it] is {d}[, what was yesterday|, what day was yesterday|, and yesterday|, which day was yesterday]",
        "[tell me|name|say] the [day|weekday] [before|that precedes|that comes before|preceding] {d}",
        "{d} is [after|preceded by] [what|which] [day|weekday]", "{d} comes right after [what|which] [day|weekday]",
        "if it is {d} [today|now|], [what was|which day was] yesterday", "previous day of {d}",
        "[what|which] day precedes {d}", "the [weekday|day] preceding {d}",
    ])
    return pattern.replace("{d}", day), f"The day before {day} is {other}."


def month_after(rng):
    i = rng.randrange(12)
    month, other = MONTHS[i], MONTHS[(i + 1) % 12]
    pattern = rng.choice([
        "[what|which] month [comes|is|follows] after {m}", "[what|which] month follows {m}", "the month after {m}",
        "what is the month after {m}", "after {m} comes [what|which month]", "[what|which] is the next month after {m}",
        "[tell me|name|say] the month [after|that follows|that comes after|following] {m}", "next month after {m}",
        "{m} is [before|followed by] [what|which] month", "it is {m}, [what is next month|which month is next]",
        "{m}, [and then which month|what month comes next]",
    ])
    return pattern.replace("{m}", month), f"The month after {month} is {other}."


def sound(rng):
    a = rng.choice(list(SOUNDS))
    pattern = rng.choice([
        "what [sound|noise] does [a|the|your] {a} make", "what does [a|the] {a} say", "how does [a|the] {a} [sound|go|speak]",
        "what [sound|noise] do {p} make", "what do {p} say", "[the|] [sound|noise] of [a|the] {a}", "{a} [sound|noise]",
        "[which|what] [sound|noise] comes from [a|the] {a}", "what [sound|noise] [is made|is produced] by {p}",
        "[a|the] {a} [goes what|makes what sound|makes which noise|makes what noise|says what thing]", "what goes [a|the] {a}",
        "[tell me|name|do you know|make] the [sound|noise] of [a|the] {a}", "how do {p} [sound|go|talk]",
        "{p} [say what|go what|make what noise|make what sound]", "what is the [sound|noise] of [a|the] {a}",
        "[what is|which is|name|tell me] the [sound|noise] that {p} make", "which [sound|noise] do {p} make",
    ])
    return pattern.replace("{a}", a).replace("{p}", plural(a)), f"A {a} says {SOUNDS[a]}.".replace("A owl", "An owl")


def baby(rng):
    a = rng.choice(list(BABIES))
    pattern = rng.choice([
        "what is a baby {a} [called|named|]", "what do you call a baby {a}", "what is the baby of a {a} [called|]",
        "baby {a}", "[tell me|give me|what is] the name [of|for] a baby {a}", "a baby {a} is called what", "how is a baby {a} called",
        "[what|how] is a young {a} called", "what do you call a young {a}", "what [are|do you call] the young of a {a}",
        "a young {a} is [called what|a what|what]", "name of a young {a}", "word for a [young|baby|little] {a}",
        "[which|what] [word|name] do we use for a [baby|young|little] {a}", "the young of {p} are called [what|how]",
        "the baby of {p}, what is it called", "baby {p}, what are they called", "what are young {p} called",
        "the [child|young] of a {a}", "what are baby {p} called",
    ])
    return pattern.replace("{a}", a).replace("{p}", plural(a)), f"A baby {a} is called a {BABIES[a]}."


def legs(rng):
    a = rng.choice(list(LEGS))
    pattern = rng.choice([
        "how many legs does [a|an|the|one] {a} have", "how many legs do {p} have", "how many legs [has|on] [a|the|one] {a}",
        "[the|] number of legs of [a|the] {a}", "{a} legs", "legs of a {a}", "[tell me|say] how many legs a {a} has",
        "{p} have what number of legs", "[what is|tell me|give me] the number of legs [a {a} has|of {p}]",
        "a {a} has how many legs", "count the legs of a {a}", "how many legs are on a {a}", "on how many legs does a {a} walk",
        "{a}: how many legs", "{p}: how many legs", "legs on a {a}",
    ])
    article = "An" if a[0] in "ao" else "A"
    return pattern.replace("{a}", a).replace("{p}", plural(a)), f"{article} {a} has {LEGS[a]} legs."


def opposite(rng):
    a, b = rng.choice(OPPOSITES)
    if rng.random() < 0.5:
        a, b = b, a
    pattern = rng.choice([
        "what is the opposite of {a}", "[the|] opposite of {a}", "what's the opposite [of|to|for] {a}", "{a} opposite",
        "[tell me|name|give me|say] the opposite [of|to] {a}", "what is the contrary of {a}", "which word is the opposite of {a}",
        "the opposite of {a} is what", "not {a} but", "[which|what] word [means|says] the opposite of {a}",
        "[an|the|] antonym [of|for|to] {a}", "what is the antonym of {a}", "what is opposite to {a}", "{a} and its opposite",
        "{a} has [what|which] opposite", "{a} is the opposite of what", "{a} is opposite to [what|which word]",
        "contrary of {a}", "opposite word [of|for|to] {a}", "{a} versus what", "find the opposite of {a}",
    ])
    return pattern.replace("{a}", a), f"The opposite of {a} is {b}."


def number(rng, value):
    return NUMBER_WORDS[value] if rng.random() < 0.25 else str(value)


def total(rng):
    a, b = rng.randint(0, 10), rng.randint(0, 10)
    pattern = rng.choice([
        "[what is|what's|how much is|whats|calculate|compute|tell me|] {a} [plus|+|and|added to] {b}", "{a}+{b}", "{a} + {b}",
        "{a}+{b}=", "{a} + {b} =", "what is {a}+{b}", "how much is {a} + {b}", "add {a} and {b}", "add {a} to {b}",
        "[the|what is the|calculate the|tell me the|give me the] sum of {a} and {b}", "{a} and {b} [is|are|make|gives|make what|equals]",
        "{a} plus {b} [is|equals|makes|gives] [what|]", "[can you|please|could you] add {a} and {b}",
        "what do I get if I add {a} and {b}", "what do {a} and {b} [make|give|add up to]", "[work out|solve|do] {a} [plus|+] {b}",
        "I have {a} and get {b} more, how many", "[when I|if you|if one] add {b} to {a}, what is the result", "{a} [plus|+] {b} [please|?|]",
        "[put|take] {a} and {b} together", "total of {a} and {b}", "sum {a} and {b}", "sum {a} {b}",
    ])
    return pattern.replace("{a}", number(rng, a)).replace("{b}", number(rng, b)), f"{a} plus {b} is {a + b}."


def difference(rng):
    a = rng.randint(0, 10)
    b = rng.randint(0, a)
    pattern = rng.choice([
        "[what is|what's|how much is|calculate|compute|tell me|] {a} [minus|-|less] {b}", "{a}-{b}", "{a} - {b}", "{a} - {b} =",
        "subtract {b} from {a}", "take {b} from {a}", "[take|taking] away {b} from {a}", "{b} taken away from {a}", "{a} take away {b}",
        "[the|what is the] difference [of|between] {a} and {b}", "{a} minus {b} [is|equals|makes|gives|is what] [what|]",
        "{b} less than {a}", "I had {a} and lost {b}, how many are left", "[work out|solve|do] {a} [minus|-] {b}",
        "[can you|please|could you] subtract {b} from {a}", "remove {b} from {a}", "what is left if I take {b} from {a}",
    ])
    return pattern.replace("{a}", number(rng, a)).replace("{b}", number(rng, b)), f"{a} minus {b} is {a - b}."


def count(rng):
    n = rng.randint(3, 10)
    pattern = rng.choice([
        "count to {n}", "count from [1|one] to {n}", "can you count to {n}", "please count to {n}", "count up to {n}",
        "count for me to {n}", "[list|say|name|give me|write] the numbers [from 1|] [to|up to|till] {n}", "count till {n}", "numbers from 1 to {n}",
        "[say|write|list|show] all numbers [from one|] to {n}", "1 to {n}", "one to {n}", "one up to {n}", "count one to {n}", "counting to {n}",
    ])
    return pattern.replace("{n}", number(rng, n)), ", ".join(str(i) for i in range(1, n + 1)) + "."


LISTS = {
    "days_list": ("The days of the week are Monday, Tuesday, Wednesday, Thursday, Friday, Saturday and Sunday.", [
        "[list|name|say|tell me|what are|give me|which are|write down|recite|I want|show me] [the|all|all the] [days of the week|weekdays|days in a week|week days]",
        "days of the week", "weekdays", "[name|list] the [7|seven] days [of the week|of a week|]", "the days of the week please",
        "how are the days of the week called", "what are the names of the [days|weekdays]", "which days are in a week", "[seven|all] days please",
        "how are weekdays called", "names of the days"]),
    "days_count": ("There are seven days in a week.", [
        "how many days [are in|are there in|does|has] a week [have|]", "how many days [in a week|a week has|per week|are in one week]", "number of days in a week",
        "a week has how many days", "how long is a week in days", "[tell me|what is] the number of days in a week", "days per week", "count the days of a week",
        "how many days make a week", "how many weekdays are there"]),
    "months_list": ("The months are January, February, March, April, May, June, July, August, September, October, November and December.", [
        "[list|name|say|tell me|what are|give me|which are|write down|recite|show me] [the|all|all the] months [of the year|in a year|]", "months of the year",
        "the twelve months", "names of the months", "[list|name|say] the [12|twelve] months", "which months are there", "the months of the year please",
        "how are the months called", "which months are in a year", "what months does the year have"]),
    "months_count": ("There are twelve months in a year.", [
        "how many months [are in|are there in|does|has] a year [have|]", "how many months [in a year|a year has|per year|are in one year]",
        "number of months in a year", "a year has how many months", "months per year", "how many months make a year", "count of months in a year"]),
    "seasons": ("The four seasons are spring, summer, autumn and winter.", [
        "[list|name|say|tell me|what are|give me|which are|recite] [the|all|all the] seasons [of the year|]", "what are the four seasons", "seasons",
        "how many seasons are there", "the seasons of the year", "[list|name] the [4|four] seasons", "names of the seasons", "how are the seasons called",
        "which seasons exist", "what seasons does a year have"]),
}

TOPICS = [("capital", capital, 6), ("colour", colour, 4), ("day_after", day_after, 2.5), ("day_before", day_before, 2.5),
          ("month_after", month_after, 2), ("sound", sound, 3), ("baby", baby, 3), ("legs", legs, 2.5), ("opposite", opposite, 3),
          ("sum", total, 6), ("difference", difference, 4), ("count", count, 2)]
