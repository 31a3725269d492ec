"""The official Python clients, unchanged but for the base URL, against the local proxy."""

import base64
import json
import os
import struct
import unittest

import anthropic
import openai

BASE = os.environ["SUBROSA_E2E_URL"]
MODEL = "subrosa-demo"
HELLO = [{"role": "user", "content": "Hello!"}]
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": ["Oslo", "Rome"]}},
    "required": ["city"],
    "additionalProperties": False,
}
CHAT_TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather of a city", "parameters": WEATHER},
}


def openai_client(**more):
    return openai.OpenAI(base_url=f"{BASE}/v1", api_key="unused", max_retries=0, timeout=120, **more)


class Chat(unittest.TestCase):
    def setUp(self):
        self.client = openai_client()

    def test_models_are_listed(self):
        self.assertIn(MODEL, [model.id for model in self.client.models.list()])

    def test_a_chat_answer_carries_text_usage_verdict_and_receipt(self):
        raw = self.client.chat.completions.with_raw_response.create(model=MODEL, messages=HELLO, max_tokens=32)
        answer = raw.parse()
        self.assertTrue(answer.choices[0].message.content.strip())
        self.assertIn(answer.choices[0].finish_reason, ("stop", "length"))
        self.assertGreater(answer.usage.completion_tokens, 0)
        self.assertIn("NOT PROTECTED (development)", raw.headers["subrosa-verdict"])
        self.assertRegex(raw.headers["subrosa-receipt"], "^[0-9a-f]{16}$")

    def test_a_stream_gives_the_same_text_as_a_whole_answer(self):
        settings = dict(model=MODEL, messages=HELLO, temperature=0, max_tokens=32)
        whole = self.client.chat.completions.create(**settings).choices[0].message.content
        chunks = list(self.client.chat.completions.create(**settings, stream=True, stream_options={"include_usage": True}))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        self.assertEqual(text, whole)
        self.assertGreater(chunks[-1].usage.completion_tokens, 0)

    def test_a_seed_repeats_an_answer(self):
        settings = dict(model=MODEL, messages=HELLO, temperature=1.0, max_tokens=24)
        first, second = (
            self.client.chat.completions.create(**settings, seed=7).choices[0].message.content for _ in range(2)
        )
        self.assertEqual(first, second)

    def test_a_required_tool_is_called_with_arguments_of_its_schema(self):
        answer = self.client.chat.completions.create(
            model=MODEL, messages=HELLO, tools=[CHAT_TOOL], tool_choice="required", max_tokens=96, temperature=0
        )
        call = answer.choices[0].message.tool_calls[0]
        self.assertEqual(call.function.name, "get_weather")
        self.assertEqual(list(json.loads(call.function.arguments)), ["city"])
        self.assertEqual(answer.choices[0].finish_reason, "tool_calls")

    def test_a_tool_call_streams(self):
        chunks = self.client.chat.completions.create(
            model=MODEL, messages=HELLO, tools=[CHAT_TOOL], tool_choice="required",
            max_tokens=96, temperature=0, stream=True,
        )
        name, arguments = "", ""
        for chunk in chunks:
            for call in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
                name += call.function.name or ""
                arguments += call.function.arguments or ""
        self.assertEqual(name, "get_weather")
        self.assertEqual(list(json.loads(arguments)), ["city"])

    def test_a_tool_result_is_accepted(self):
        call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'}}
        messages = HELLO + [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        ]
        answer = self.client.chat.completions.create(model=MODEL, messages=messages, tools=[CHAT_TOOL], max_tokens=16)
        self.assertIsNotNone(answer.choices[0].finish_reason)

    def test_an_answer_follows_a_json_schema(self):
        shape = {"type": "json_schema", "json_schema": {"name": "w", "strict": True, "schema": WEATHER}}
        answer = self.client.chat.completions.create(
            model=MODEL, messages=HELLO, response_format=shape, max_tokens=96, temperature=0
        )
        self.assertEqual(list(json.loads(answer.choices[0].message.content)), ["city"])

    def test_logprobs_and_several_choices_are_given(self):
        answer = self.client.chat.completions.create(
            model=MODEL, messages=HELLO, n=2, logprobs=True, top_logprobs=2, max_tokens=8
        )
        self.assertEqual([choice.index for choice in answer.choices], [0, 1])
        first = answer.choices[0].logprobs.content[0]
        self.assertLessEqual(first.logprob, 0.0)
        self.assertEqual(len(first.top_logprobs), 2)

    def test_stop_sequences_end_the_answer(self):
        answer = self.client.chat.completions.create(
            model=MODEL, messages=HELLO, temperature=0, stop=["e"], max_tokens=32
        )
        self.assertNotIn("e", answer.choices[0].message.content)

    def test_completions_answer(self):
        answer = self.client.completions.create(model=MODEL, prompt="Hello", max_tokens=8)
        self.assertEqual(answer.object, "text_completion")
        self.assertGreater(answer.usage.completion_tokens, 0)

    def test_embeddings_are_vectors_in_both_encodings(self):
        floats = self.client.embeddings.create(model=MODEL, input=["a", "b"], encoding_format="float")
        self.assertEqual([item.index for item in floats.data], [0, 1])
        vector = floats.data[0].embedding
        self.assertGreater(len(vector), 8)
        packed = self.client.embeddings.with_raw_response.create(model=MODEL, input="a", encoding_format="base64")
        raw = base64.b64decode(json.loads(packed.text if isinstance(packed.text, str) else packed.text())["data"][0]["embedding"])
        self.assertEqual(len(raw), 4 * len(vector))
        self.assertAlmostEqual(struct.unpack("<f", raw[:4])[0], vector[0], places=3)


class Responses(unittest.TestCase):
    def setUp(self):
        self.client = openai_client()

    def test_a_response_answers(self):
        response = self.client.responses.create(model=MODEL, input="Hello!", max_output_tokens=32, store=False)
        self.assertTrue(response.output_text.strip())

    def test_a_response_streams_to_its_end(self):
        events = list(
            self.client.responses.create(model=MODEL, input="Hello!", max_output_tokens=32, store=False, stream=True)
        )
        self.assertEqual(events[0].type, "response.created")
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        self.assertIn(events[-1].type, ("response.completed", "response.incomplete"))
        self.assertEqual(events[-1].response.output_text, text)

    def test_storing_a_response_is_refused(self):
        with self.assertRaises(openai.BadRequestError) as raised:
            self.client.responses.create(model=MODEL, input="Hello!", store=True)
        self.assertEqual(raised.exception.body["param"], "store")


class Messages(unittest.TestCase):
    def setUp(self):
        self.client = anthropic.Anthropic(base_url=BASE, api_key="unused", max_retries=0, timeout=120)

    def test_a_message_answers(self):
        message = self.client.messages.create(model=MODEL, max_tokens=32, messages=HELLO)
        self.assertTrue(message.content[0].text.strip())
        self.assertGreater(message.usage.output_tokens, 0)

    def test_a_message_streams_to_its_end(self):
        with self.client.messages.stream(model=MODEL, max_tokens=32, messages=HELLO) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        self.assertEqual(final.content[0].text, text)
        self.assertIn(final.stop_reason, ("end_turn", "max_tokens"))

    def test_a_tool_is_used(self):
        tool = {"name": "get_weather", "description": "Weather", "input_schema": WEATHER}
        message = self.client.messages.create(
            model=MODEL, max_tokens=96, messages=HELLO, tools=[tool], tool_choice={"type": "any"}, extra_body={"temperature": 0}
        )
        use = [block for block in message.content if block.type == "tool_use"][0]
        self.assertEqual((use.name, list(use.input)), ("get_weather", ["city"]))
        self.assertEqual(message.stop_reason, "tool_use")

    def test_an_unknown_model_is_an_error_of_its_kind(self):
        with self.assertRaises(anthropic.NotFoundError):
            self.client.messages.create(model="nobody", max_tokens=8, messages=HELLO)


class Errors(unittest.TestCase):
    def setUp(self):
        self.client = openai_client()

    def test_an_unsupported_field_is_named(self):
        with self.assertRaises(openai.BadRequestError) as raised:
            self.client.chat.completions.create(model=MODEL, messages=HELLO, extra_body={"web_search_options": {}})
        self.assertEqual(raised.exception.body["param"], "web_search_options")

    def test_a_value_out_of_range_is_named(self):
        with self.assertRaises(openai.BadRequestError) as raised:
            self.client.chat.completions.create(model=MODEL, messages=HELLO, temperature=9)
        self.assertEqual(raised.exception.body["param"], "temperature")

    def test_an_unknown_model_is_not_found(self):
        with self.assertRaises(openai.NotFoundError):
            self.client.chat.completions.create(model="nobody", messages=HELLO)

    def test_a_prompt_longer_than_the_context_is_refused(self):
        long = [{"role": "user", "content": "hello " * 20000}]
        with self.assertRaises(openai.BadRequestError) as raised:
            self.client.chat.completions.create(model=MODEL, messages=long)
        self.assertEqual(raised.exception.body["code"], "context_length_exceeded")


if __name__ == "__main__":
    unittest.main()
