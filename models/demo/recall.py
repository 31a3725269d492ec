"""Names told and asked for. Most training names are invented, so that copying is what is learned."""

REAL = """Anna Ben Carla David Emma Felix Grace Hannah Isaac Julia Karl Laura Martin Nina Oscar Paula Robert Sara Thomas
Ursula Victor Wendy Xavier Yvonne Zoe Adam Alice Amir Bella Bruno Cecilia Chen Clara Daniel Dora Elena Emil Fatima Finn Frida
George Hugo Ida Igor Ivan James Jane Jonas Kate Kenji Lena Leo Lily Linda Luis Maria Marco Mia Michael Mohammed Nadia Noah
Olga Olivia Omar Otto Pablo Peter Pia Rafael Rita Rosa Ruth Samuel Sofia Stefan Susan Tina Tom Uma Vera Walter Will Yuki Zara
Alexander Beatrice Christopher Dominic Eleanor Frederick Gabriella Harriet Isabella Jeremy Katherine Lawrence Margaret Nathaniel
Ophelia Patricia Raymond Sebastian Theodora Vincent Winston Abigail Bernard Charlotte Deepak Esther Francesca Gregory Hiroshi
Imran Jasmine Kofi Layla Mehmet Nikolai Olumide Pavel Rashid Sanjay Tamara Umberto Vikram Wei Yasmin Zainab Mary John Bob Eve
Mallory Sam Max Alex Chris Pat Joe Jim Tim Amy Lucy Ella Jack Harry Ali Ravi Priya Mei Hana Sven Lars Astrid Greta Pierre""".split()

ONSETS = ["b", "br", "c", "ch", "cl", "d", "dr", "f", "fl", "g", "gr", "gw", "h", "j", "k", "kr", "l", "m", "n", "p", "ph", "pr",
          "qu", "r", "rh", "s", "sh", "st", "sv", "t", "th", "tr", "v", "w", "x", "y", "z", "zb", "", "", "", ""]
VOWELS = ["a", "e", "i", "o", "u", "a", "e", "i", "o", "ai", "ia", "ee", "ei", "eo", "ie", "oo", "ou", "y", "au", "aa"]
CODAS = ["", "", "", "", "n", "r", "l", "s", "m", "t", "d", "k", "nd", "rt", "ld", "ck", "th", "x", "ne", "lle", "na", "ra", "lia",
         "sh", "v", "gn", "rd", "que", "nde", "tte", "mir", "dia", "fer", "der"]

TELL = """
[my name is|my name's|I am|I'm|call me|please call me|you can call me|this is|it's me,|i am called|I am named|they call me|name is|people call me|everyone calls me|friends call me|the name is|I go by|my friends call me|you may call me|remember me as|just call me] {n}
[hello|hi|hey|good morning|good evening|good day|greetings|oh hi|howdy], [my name is|my name's|I am|I'm|call me|this is|you can call me|I am called|it is|the name is|here is|people call me] {n}
[hello|hi|hey], {n} here
{n} here
{n} is [my name|the name|what they call me|who I am|what my friends call me|how people call me|my first name]
[remember|please remember|note|keep in mind|do not forget] [that my name is|my name:|that I am called|my name, it is|I am] {n}
[I want to tell you|let me tell you|you should know] [my name|who I am]: [it is|I am|] {n}
my [first name|full name|nickname|own name|real name] is {n}
[hello|hi], [I am new here and my name is|I am|my name is] {n}[, nice to meet you|, who are you|, good to be here|, how are you|]
[my parents named me|my mother calls me|they named me|my family calls me|all the people call me|most people say|I was named|I was given the name|at home I am called] {n}
[first of all|to start|to begin with|by the way|just so you know|for the record], [I am|my name is|I am called|they call me|it is] {n}
{n} [speaking|talking|is speaking|is writing|is typing|on the keyboard|is my name by the way|at your service]
[I am|it is|this is] {n} [speaking|here|writing|typing|on the line|by the way|from the office|again]
[name|my name|me|user|user name]: {n}
""".strip().split("\n")

CORRECT = """
[actually|no|sorry|wait|I mean|correction|oh|hm|oops], [my name is|I am|call me|it is|I meant|that should be|my real name is|the right name is|make that] {n}
[I changed my mind|I was wrong|that was wrong|I made a mistake|I was joking|that was a lie|not right|that is false], [my name is|call me|I am|it is|my real name is|the name is] {n}
[please call me {n} instead|my name is {n} now|not that, {n}|no, {n}|from now on call me {n}|forget that, I am {n}|{n}, I meant|{n} is the right one|my true name is {n}|rather {n}|it's really {n}|{n} instead]
""".strip().split("\n")

ASK = """
[what is my name|what's my name|whats my name|do you remember my name|do you know my name|who am I|can you tell me my name|tell me my name|what am I called|say my name|my name|do you still know my name|what was my name|can you remember my name|remember my name|what did I say my name was|how am I called|do you recall my name|what is the name I told you|which name did I tell you|and my name|who is talking to you|what name do I have|name me|repeat my name|my name please|have you forgotten my name|did you forget my name|tell me who I am|do you know who I am|do you remember who I am]
[what|which] name [did I say|have I told you|have I given|did I tell you|did I mention|is mine|was mine]
[can you|could you|please|would you] [repeat my name|say my name|remind me of my name|tell me who I am|recall my name|say who I am|remember who I am|repeat what I am called|say what I am called]
[so|now|ok|well|right|and now|test|a test|question|one more thing], [what is my name|who am I|my name|do you know my name|what am I called|what was I called|tell me my name|do you remember me by name|say my name]
[did you|do you|have you] [remember|keep|note|noted|store|know|kept|save] [my name|the name I gave you|what I am called|the name I told you|how I am called]
[I told you my name|I said my name before|I gave you my name], [what is it|what was it|say it|which one was it|repeat it]
[under what name do you know me|how do you call me|by what name do you call me|how should you call me|who did I tell you I am|who do you think I am|remind me who I am|what do people call me|how do people call me|who is it that you are talking to|with whom are you talking]
""".strip().split("\n")


def invented(rng):
    parts = rng.choice([1, 2, 2, 2, 2, 3, 3])
    text = "".join(rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS if i == parts - 1 or rng.random() < 0.25 else [""])
                   for i in range(parts))
    return (text if len(text) > 2 else text + "na").capitalize()


def name(rng, excluded):
    while True:
        chosen = rng.choice(REAL) if rng.random() < 0.3 else invented(rng)
        if chosen.lower() not in excluded:
            return chosen


def told(value):
    return f"Nice to meet you, {value}!"


def answer(value):
    return f"Your name is {value}."


UNKNOWN = "You have not told me your name yet."
