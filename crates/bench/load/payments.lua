-- wrk -s payments.lua URL -- NAME [KEYS]: payments, each under a key of its own, in no order; with KEYS, under that
-- many keys in turn.

local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local body = '{"amount":"100.00","currency":"USD","payment_method":"pm_card_visa","description":"Two books and a pen, gift wrapped."}'
local sent, keys, name, head, tail = 0, nil, nil, nil, nil

function init(arguments)
  name = arguments[1] .. "-" .. number
  keys = tonumber(arguments[2])
  head = "POST /v1/payments HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port ..
    "\r\nContent-Type: application/json\r\nContent-Length: " .. #body .. "\r\nIdempotency-Key: "
  tail = "\r\n\r\n" .. body
  math.randomseed(number + 1)
end

function request()
  sent = sent + 1
  if keys then
    return head .. name .. "-" .. sent % keys .. tail
  end
  -- As clients choose them: at random places of an index.
  local place = string.format("%08x%08x-", math.random(0, 0x7fffffff), math.random(0, 0x7fffffff))
  return head .. place .. name .. "-" .. sent .. tail
end
