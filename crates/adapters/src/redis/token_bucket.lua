-- Takes a token out of a bucket (GCRA), by this server's clock, in one step.
--
-- KEYS[1]  the bucket: the time at which it is full again; without a key it is full
-- ARGV[1]  tokens that come back in a second
-- ARGV[2]  tokens that the bucket holds
--
-- Returns whether there was a token, how many are left, and microseconds until there is one.
local interval = 1000000 / ARGV[1]
local burst = tonumber(ARGV[2])
-- Microseconds since late 2023: smaller numbers keep fractions of them.
local time = redis.call('TIME')
local now = (time[1] - 1700000000) * 1000000 + time[2]

-- What this script cannot have written (another type, text, a time far beyond that of an empty
-- bucket) stands for a full bucket: garbage shuts nobody out and is overwritten. A second is
-- granted to a clock that was set back.
local stored = redis.pcall('GET', KEYS[1])
local full_at = type(stored) == 'string' and tonumber(stored) or now
if not (full_at > now and full_at <= now + interval * burst + 1000000) then
    full_at = now
end

local next_full_at = full_at + interval
local room = now + interval * burst - next_full_at
if room < 0 then
    return {0, 0, math.ceil(-room)}
end
local until_full = math.max(1, math.ceil((next_full_at - now) / 1000))
redis.call('SET', KEYS[1], string.format('%.3f', next_full_at), 'PX', until_full)
return {1, math.floor(room / interval + 0.001), 0}
