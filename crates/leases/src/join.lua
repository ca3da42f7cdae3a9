-- Gives the server's memory a name if it has none, and this start of the node the next number.
-- KEYS: the name of the memory, the number of the node's starts.  ARGV: a name nobody else would choose,
-- the number that the node had.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. string.format('%.0f', now), 'NX')
local before = math.max(tonumber(redis.call('GET', KEYS[2]) or '0'), tonumber(ARGV[2]))
redis.call('SET', KEYS[2], string.format('%.0f', before + 1))
return before + 1
