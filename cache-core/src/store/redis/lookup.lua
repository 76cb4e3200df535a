-- Everything that a look-up needs, in one round trip.
--
-- KEYS: the pipeline's index and hishel's own of the same cache key. ARGV: now in Unix seconds, the most bytes of
-- bodies to send along, and for how many more milliseconds a lone entry is to live (0: as long as it does).
-- Returns eight values an entry: id, heads, PTTL, mark of a whole body, elements of the body, its last element where it
-- is short, its elements joined (false: too long, or not whole), whether its time was extended.
--
-- A key of the wrong type is no entry. Any other refusal is the answer, since it must not look as if nothing was stored.
-- Extending times and removing ids of entries that are gone may fail: a replica that allows neither still answers.
local room, ttl = tonumber(ARGV[2]), tonumber(ARGV[3])
local END = '@COMPLETE@'
local found, lone, live, refusal, gone = {}, nil, 0, nil, {}

local function call(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err and not string.find(answer.err, 'WRONGTYPE', 1, true) then
    refusal = refusal or answer
  end
  return answer
end

local function text(value)
  return type(value) == 'string' and value
end

local function short(value)
  return type(value) == 'string' and #value <= #END and value
end

local function body(stream)
  -- What it takes in memory is a little more than its length, and is known without reading it.
  local memory = redis.pcall('MEMORY', 'USAGE', stream)
  if type(memory) == 'number' and memory <= 2 * room + 512 then
    local chunks = call('LRANGE', stream, 0, -1)
    if chunks.err then return -1, false, false end
    local count, last = #chunks, chunks[#chunks]
    if last == END then chunks[count] = nil end
    local whole = #chunks == 1 and chunks[1] or table.concat(chunks)
    return count, short(last), #whole <= room and whole
  end
  local count = call('LLEN', stream)
  return type(count) == 'number' and count or -1, short(call('LINDEX', stream, -1)), false
end

local function read(id)
  local is_pipelines = #id == 36
  local entry, stream = '@ENTRY@' .. id, '@STREAM@' .. id
  local heads
  if is_pipelines then heads = text(call('HGET', entry, 'data')) else heads = text(call('GET', entry)) end
  if not heads then
    if #gone < 100 and redis.pcall('EXISTS', entry) == 0 then gone[#gone + 1] = id end
    return
  end
  local mark = not is_pipelines and text(call('GET', '@DONE@' .. id))
  local count, last, whole = body(stream)
  if is_pipelines and last ~= END then return end
  if whole then room = room - #whole end
  local at = #found
  found[at + 1], found[at + 2], found[at + 3], found[at + 4] = id, heads, call('PTTL', entry), mark
  found[at + 5], found[at + 6], found[at + 7], found[at + 8] = count, last, whole, 0
  live = live + 1
  lone = is_pipelines and id
end

-- An entry is written before it joins its index: an id without one is left over.
local function leave(command, index)
  if #gone > 0 and not refusal then redis.pcall(command, index, unpack(gone)) end
  gone = {}
end

local ids = call('SMEMBERS', KEYS[1])
for i = 1, #ids do if #ids[i] == 36 then read(ids[i]) end end
leave('SREM', KEYS[1])
local kind = call('TYPE', KEYS[2]).ok
if kind == 'set' then ids = call('SMEMBERS', KEYS[2])
elseif kind == 'zset' then ids = call('ZREVRANGEBYSCORE', KEYS[2], '+inf', '(' .. ARGV[1])
else ids = {} end
for i = 1, #ids do if #ids[i] == 32 then read(ids[i]) end end
leave(kind == 'zset' and 'ZREM' or 'SREM', KEYS[2])
if refusal then return refusal end

-- Of several the newest is extended, which only the caller can tell, as he can tell what the pair says where it names a
-- TTL of its own or a deletion.
local pair = found[2]
if ttl > 0 and live == 1 and lone
    and not string.find(pair, 'hishel_ttl', 1, true) and string.find(pair, 'deleted_at\192', 1, true) then
  local extended = redis.pcall('PEXPIRE', 'hishel_cache:entry:' .. lone, ttl)
  if extended == 1 then
    redis.pcall('PEXPIRE', 'hishel_cache:stream:' .. lone, ttl)
    -- An index outlives what it names: it is extended, never shortened, and a persistent one stays so.
    local left = redis.pcall('PTTL', KEYS[1])
    if left >= 0 and left < ttl then redis.pcall('PEXPIRE', KEYS[1], ttl) end
    found[8] = 1
  end
end
return found
