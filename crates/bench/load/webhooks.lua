-- wrk -s webhooks.lua URL -- NAME [DUPLICATES]: announced transactions; of ten, that many were announced before.

local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local sent, duplicates, name, head = 0, 0, nil, nil

function init(arguments)
  name = arguments[1] .. "_" .. number
  duplicates = tonumber(arguments[2] or "0")
  head = "POST /v1/webhooks/transactions HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port ..
    "\r\nContent-Type: application/json\r\nContent-Length: "
end

function request()
  sent = sent + 1
  local transaction = sent
  if sent % 10 < duplicates then
    transaction = math.max(sent - 7, 1)
  end
  local body = '{"transaction_id":"txn_' .. name .. "_" .. transaction ..
    '","source_account":"acc_user_1","destination_account":"acc_merchant_1","amount":1500,"currency":"INR"}'
  return head .. #body .. "\r\n\r\n" .. body
end
