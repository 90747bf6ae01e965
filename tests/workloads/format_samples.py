"""Small made-up records of every format, as their programs write them: read by the tests of each format, and fuzzed."""

from typing import Any

CHAT_BODY: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_717_236_000,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Four."}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 1_000,
        "completion_tokens": 50,
        "total_tokens": 1_050,
        "prompt_tokens_details": {"cached_tokens": 600},
    },
}
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Two and two?"}]
CHAT_REQUEST: dict[str, Any] = {"model": "gpt-4o", "messages": MESSAGES, "max_tokens": 64}

SPEND_LOG: dict[str, Any] = {
    "request_id": "chatcmpl-1",
    "call_type": "acompletion",
    "api_key": "0123456789abcdef",
    "spend": 0.00225,
    "total_tokens": 1_050,
    "prompt_tokens": 1_000,
    "completion_tokens": 50,
    "startTime": "2024-06-01T10:00:00+00:00",
    "endTime": "2024-06-01T10:00:02+00:00",
    "completionStartTime": "2024-06-01T10:00:00.500+00:00",
    "model": "gpt-4o",
    "custom_llm_provider": "openai",
    "end_user": "ann",
    "user": "",
    "cache_hit": "False",
    "request_tags": '["night"]',
    "metadata": '{"user_api_key": "0123456789abcdef", "spend_logs_metadata": {"team": "red"}, "usage_object":'
    ' {"prompt_tokens": 1000, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 600}}}',
    "messages": "{}",
    "response": "{}",
    "session_id": "s1",
    "status": "success",
}
STANDARD: dict[str, Any] = {
    "id": "chatcmpl-1",
    "trace_id": "t1",
    "call_type": "acompletion",
    "status": "success",
    "custom_llm_provider": "openai",
    "model": "gpt-4o",
    "response_cost": 0.00225,
    "startTime": 1_717_236_000.0,
    "endTime": 1_717_236_002.0,
    "completionStartTime": 1_717_236_000.5,
    "prompt_tokens": 1_000,
    "completion_tokens": 50,
    "total_tokens": 1_050,
    "messages": MESSAGES,
    "response": CHAT_BODY,
    "model_parameters": {"max_tokens": 64, "tools": [{"type": "function"}]},
    "metadata": {"user_api_key_hash": "0123", "requester_metadata": {"team": "red"}},
    "end_user": "ann",
}
HELICONE: dict[str, Any] = {
    "request_id": "h1",
    "request_created_at": "2024-06-01T10:00:00Z",
    "response_created_at": "2024-06-01T10:00:02Z",
    "request_body": CHAT_REQUEST,
    "response_body": CHAT_BODY,
    "response_status": 200,
    "request_model": "gpt-4o",
    "provider": "OPENAI",
    "delay_ms": 2_000,
    "time_to_first_token": 500,
    "prompt_tokens": 1_000,
    "completion_tokens": 50,
    "cost": 0.00225,
    "request_user_id": "ann",
    "request_properties": {"team": "red", "Helicone-Session-Id": "s1"},
}
OPENROUTER: dict[str, Any] = {
    "id": "gen-1",
    "created_at": "2024-06-01T10:00:00Z",
    "model": "openai/gpt-4o",
    "provider_name": "OpenAI",
    "total_cost": 0.00225,
    "cache_discount": 0.00075,
    "tokens_prompt": 1_111,
    "tokens_completion": 44,
    "native_tokens_prompt": 1_000,
    "native_tokens_completion": 50,
    "native_tokens_reasoning": 20,
    "native_tokens_cached": 600,
    "latency": 500,
    "generation_time": 2_000,
    "streamed": True,
    "finish_reason": "stop",
}
ACTIVITY: dict[str, Any] = {
    "generation_id": "gen-1",
    "created_at": "2024-06-01 10:00:00.000",
    "cost_total": "0.00225",
    "byok_usage_inference": "0.001",
    "tokens_prompt": "1000",
    "tokens_completion": "50",
    "tokens_cached": "600",
    "model_permaslug": "openai/gpt-4o",
    "variant": "free",
    "streamed": "true",
}
GENERATION: dict[str, Any] = {
    "id": "g1",
    "traceId": "t1",
    "type": "GENERATION",
    "name": "answer",
    "parentObservationId": "s1",
    "startTime": "2024-06-01T10:00:00Z",
    "endTime": "2024-06-01T10:00:02Z",
    "completionStartTime": "2024-06-01T10:00:00.500Z",
    "model": "gpt-4o",
    "modelParameters": {"max_tokens": 64},
    "input": {"messages": MESSAGES},
    "output": {"role": "assistant", "content": "Four."},
    "usageDetails": {"input": 400, "input_cached_tokens": 600, "output": 50, "total": 1_050},
    "costDetails": {"input": 0.00175, "output": 0.0005, "total": 0.00225},
    "totalCost": 0.00225,
    "latency": 2_000,
    "level": "DEFAULT",
    "metadata": {"team": "red", "ls_provider": "openai", "attributes": {"secret": "x"}},
}
SPAN: dict[str, Any] = {
    "id": "s1",
    "traceId": "t1",
    "type": "SPAN",
    "name": "step",
    "startTime": "2024-06-01T10:00:00Z",
}
TRACE: dict[str, Any] = {
    "trace": {"id": "t1", "name": "run", "sessionId": "s1", "userId": "ann"},
    "observations": [SPAN, GENERATION],
}
GENAI: dict[str, Any] = {
    "name": "chat gpt-4o",
    "span_id": "a1",
    "parent_span_id": "a0",
    "start_time": "2024-06-01T10:00:00Z",
    "end_time": "2024-06-01T10:00:02Z",
    "status": {"code": 1},
    "attributes": {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.request.max_tokens": 64,
        "gen_ai.conversation.id": "s1",
        "user.id": "ann",
        "gen_ai.system_instructions": '[{"type": "text", "content": "Be brief."}]',
        "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "Two and two?"}]}]',
        "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "text", "content": "Four."}]}]',
        "gen_ai.usage.input_tokens": 1_000,
        "gen_ai.usage.cache_read.input_tokens": 600,
        "gen_ai.usage.output_tokens": 50,
    },
}
OPENINFERENCE: dict[str, Any] = {
    "name": "ChatCompletion",
    "context": {"trace_id": "t1", "span_id": "b1"},
    "start_time": "2024-06-01T10:00:00Z",
    "end_time": "2024-06-01T10:00:02Z",
    "attributes": {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-4o",
        "llm.provider": "openai",
        "llm.invocation_parameters": '{"max_tokens": 64}',
        "llm.input_messages.0.message.role": "system",
        "llm.input_messages.0.message.content": "Be brief.",
        "llm.input_messages.1.message.role": "user",
        "llm.input_messages.1.message.contents.0.message_content.type": "text",
        "llm.input_messages.1.message.contents.0.message_content.text": "Two and two?",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": "Four.",
        "llm.token_count.prompt": 1_000,
        "llm.token_count.prompt_details.cache_read": 600,
        "llm.token_count.completion": 50,
        "llm.token_count.total": 1_050,
        "session.id": "s1",
        "user.id": "ann",
    },
}
BATCH_REQUEST: dict[str, Any] = {
    "custom_id": "r1",
    "method": "POST",
    "url": "/v1/chat/completions",
    "body": CHAT_REQUEST,
}
BATCH_RESULT: dict[str, Any] = {
    "id": "batch_req_1",
    "custom_id": "r1",
    "response": {"status_code": 200, "request_id": "q1", "body": CHAT_BODY},
    "error": None,
}
CLAUDE_REQUEST: dict[str, Any] = {
    "custom_id": "r1",
    "params": {"model": "claude-sonnet-4-5", "max_tokens": 64, "system": "Be brief.", "messages": MESSAGES[1:]},
}
CLAUDE_RESULT: dict[str, Any] = {
    "custom_id": "r1",
    "result": {
        "type": "succeeded",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-5-20250929",
            "content": [{"type": "text", "text": "Four."}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 400, "cache_read_input_tokens": 600, "output_tokens": 50},
        },
    },
}
BEDROCK_LOG: dict[str, Any] = {
    "schemaType": "ModelInvocationLog",
    "schemaVersion": "1.0",
    "timestamp": "2024-06-01T10:00:00Z",
    "accountId": "123456789012",
    "region": "us-east-1",
    "requestId": "b1",
    "operation": "Converse",
    "modelId": "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "input": {
        "inputContentType": "application/json",
        "inputBodyJson": {
            "system": [{"text": "Be brief."}],
            "messages": [{"role": "user", "content": [{"text": "Two and two?"}]}],
            "inferenceConfig": {"maxTokens": 64},
        },
        "inputTokenCount": 400,
    },
    "output": {
        "outputContentType": "application/json",
        "outputBodyJson": {
            "output": {"message": {"role": "assistant", "content": [{"text": "Four."}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 400, "cacheReadInputTokens": 600, "outputTokens": 50, "totalTokens": 1_050},
        },
        "outputTokenCount": 50,
    },
}
CLAUDE_CODE: dict[str, Any] = {
    "type": "assistant",
    "sessionId": "s1",
    "uuid": "u2",
    "timestamp": "2025-06-01T10:00:02.000Z",
    "requestId": "req_1",
    "cwd": "/home/ann/app",
    "message": {
        "id": "msg_1",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [{"type": "text", "text": "Done."}],
        "usage": {
            "input_tokens": 4,
            "cache_creation_input_tokens": 300,
            "cache_read_input_tokens": 2_000,
            "output_tokens": 50,
            "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
            "service_tier": "standard",
        },
    },
}
CLAUDE_USER: dict[str, Any] = {
    "type": "user",
    "sessionId": "s1",
    "uuid": "u1",
    "timestamp": "2025-06-01T10:00:00.000Z",
    "message": {"role": "user", "content": "Fix the test"},
}


def codex_count(total: dict[str, int] | None, last: dict[str, int] | None, minute: int = 1) -> dict[str, Any]:
    """An event of a session log that states counts."""
    info = {"total_token_usage": total, "last_token_usage": last}
    timestamp = f"2025-06-01T10:{minute:02}:00.000Z"
    return {"timestamp": timestamp, "type": "event_msg", "payload": {"type": "token_count", "info": info}}


CODEX_META: dict[str, Any] = {
    "timestamp": "2025-06-01T10:00:00Z",
    "type": "session_meta",
    "payload": {"id": "s1", "cwd": "/app"},
}
CODEX_TURN: dict[str, Any] = {
    "timestamp": "2025-06-01T10:00:00Z",
    "type": "turn_context",
    "payload": {"model": "gpt-5-codex"},
}
CODEX_FIRST = {"input_tokens": 1_000, "cached_input_tokens": 600, "output_tokens": 50, "total_tokens": 1_050}
CODEX = codex_count(CODEX_FIRST, CODEX_FIRST)
CODEX_FORK: dict[str, Any] = {
    "type": "session_meta",
    "payload": {"id": "s2", "source": {"subagent": {"thread_spawn": {"parent_thread_id": "s1"}}}},
}
CODEX_RECORD: dict[str, Any] = {
    "timestamp": "2026-09-01T10:00:00Z",
    "type": "token_usage_record",
    "payload": {"thread_id": "s1", "response_id": "r1", "usage": CODEX_FIRST, "thread_token_usage": CODEX_FIRST},
}
AZURE: dict[str, Any] = {"TIMESTAMP": "2023-11-16 18:15:46.6805900", "ContextTokens": "374", "GeneratedTokens": "44"}
BURSTGPT: dict[str, Any] = {
    "Timestamp": "5",
    "Model": "GPT-4",
    "Request tokens": "472",
    "Response tokens": "18",
    "Total tokens": "490",
    "Log Type": "Conversation log",
}
MOONCAKE: dict[str, Any] = {"timestamp": 27_482, "input_length": 6_955, "output_length": 52, "hash_ids": [46, 47, 48]}

# One call in each format that records one by itself, by the name that `--log-format` takes.
CALLS: dict[str, dict[str, Any]] = {
    "litellm-spend": SPEND_LOG,
    "litellm-standard": STANDARD,
    "helicone": HELICONE,
    "openrouter": OPENROUTER,
    "langfuse": GENERATION,
    "otel": GENAI,
    "bedrock-log": BEDROCK_LOG,
    "openai-batch": BATCH_RESULT,
    "anthropic-batch": CLAUDE_RESULT,
    "claude-code": CLAUDE_CODE,
    "codex": CODEX,
    "azure-trace": AZURE,
    "burstgpt": BURSTGPT,
    "mooncake": MOONCAKE,
    "pairs": {"request": CHAT_REQUEST, "response": CHAT_BODY, "timestamp": "2024-06-01T10:00:00Z"},
    "chat": {"messages": MESSAGES, "response": "Four.", "usage": CHAT_BODY["usage"], "model": "gpt-4o"},
}
