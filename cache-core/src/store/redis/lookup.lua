-- Everything that a look-up needs, in one round trip.
--
-- KEYS: the pipeline's index and hishel's own of the same cache key. ARGV: now in Unix seconds, the most bytes of
-- bodies to send along, and for how many more milliseconds a lone entry is to live (0: as long as it does).
-- Returns eight values an entry: id, heads, PTTL, mark of a whole body, elements of the body, its last element where it
-- is short, its elements joined (false: too long, or not whole), whether its time was extended.
--
-- Every call is a `pcall`: a key of the wrong type is no entry, and a replica that may not extend a time still answers.
local room, ttl = tonumber(ARGV[2]), tonumber(ARGV[3])
local END = '@COMPLETE@'
local found, lone, live = {}, nil, 0

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
    local chunks = redis.pcall('LRANGE', stream, 0, -1)
    if chunks.err then return -1, false, false end
    local count, last = #chunks, chunks[#chunks]
    if last == END then chunks[count] = nil end
    local whole = #chunks == 1 and chunks[1] or table.concat(chunks)
    return count, short(last), #whole <= room and whole
  end
  local count = redis.pcall('LLEN', stream)
  return type(count) == 'number' and count or -1, short(redis.pcall('LINDEX', stream, -1)), false
end

local function read(id)
  local is_pipelines = #id == 36
  local entry, stream = '@ENTRY@' .. id, '@STREAM@' .. id
  local heads = text(is_pipelines and redis.pcall('HGET', entry, 'data') or redis.pcall('GET', entry))
  if not heads then return end
  local mark = not is_pipelines and text(redis.pcall('GET', '@DONE@' .. id))
  local count, last, whole = body(stream)
  if is_pipelines and last ~= END then return end
  if whole then room = room - #whole end
  local at = #found
  found[at + 1], found[at + 2], found[at + 3], found[at + 4] = id, heads, redis.pcall('PTTL', entry), mark
  found[at + 5], found[at + 6], found[at + 7], found[at + 8] = count, last, whole, 0
  live = live + 1
  lone = is_pipelines and id
end

local ids = redis.pcall('SMEMBERS', KEYS[1])
for i = 1, #ids do if #ids[i] == 36 then read(ids[i]) end end
local kind = redis.pcall('TYPE', KEYS[2]).ok
if kind == 'set' then ids = redis.pcall('SMEMBERS', KEYS[2])
elseif kind == 'zset' then ids = redis.pcall('ZREVRANGEBYSCORE', KEYS[2], '+inf', '(' .. ARGV[1])
else ids = {} end
for i = 1, #ids do if #ids[i] == 32 then read(ids[i]) end end

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
