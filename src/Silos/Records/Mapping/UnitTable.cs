namespace EmrMarket.Silos.Records.Mapping;

/// <summary>
/// The persons, or the visits, of a load. A unit is there as soon as it is mentioned, so that files may be in any order; it has a row only
/// when it is defined. Memory: some 200 bytes per unit.
/// </summary>
internal sealed class UnitTable
{
    private readonly Dictionary<string, int> _index = new(StringComparer.Ordinal);
    private readonly Pages<Unit> _units = new();

    /// <summary>How many there are, mentioned or defined.</summary>
    public int Count { get; private set; }

    /// <summary>The unit of an id, which is made where there is none.</summary>
    /// <param name="id">The id, or another name of the unit.</param>
    /// <param name="place">Who mentions it.</param>
    public int Mention(string id, in Place place)
    {
        int index = At(id, place);
        _units[index].Mentions++;
        return index;
    }

    /// <summary>Says that a unit exists; false when that was said before.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="alias">Another name by which it may be mentioned (FHIR: a bundle's <c>fullUrl</c>); null for none.</param>
    /// <param name="place">Who says so.</param>
    /// <param name="unit">The unit.</param>
    /// <param name="merged">A unit that was mentioned by the alias and is this one, whose values are to be merged; -1 for none.</param>
    public bool Define(string id, string? alias, in Place place, out int unit, out int merged)
    {
        unit = At(id, place);
        merged = -1;
        if (_units[unit].Defined)
        {
            return false;
        }

        _units[unit].Defined = true;
        _units[unit].Id = id;
        if (alias is null || alias == id)
        {
            return true;
        }

        if (!_index.TryGetValue(alias, out int other))
        {
            _index.Add(alias, unit);
        }
        else if (Find(other) is var found && found != unit && !_units[found].Defined)
        {
            merged = found;
            _units[found].Same = unit + 1;
            _units[unit].Mentions += _units[found].Mentions;
            See(unit, _units[found].LastDay - 1);
        }

        return true;
    }

    /// <summary>The id that defined it, or the first by which it was mentioned.</summary>
    public string Id(int unit) => _units[unit].Id;

    /// <summary>Whether it exists.</summary>
    public bool IsDefined(int unit) => _units[unit].Defined;

    /// <summary>Whether it is another one's name.</summary>
    public bool IsMerged(int unit) => _units[unit].Same > 0;

    /// <summary>Who mentioned it first.</summary>
    public Place FirstMention(int unit) => _units[unit].First;

    /// <summary>How often it was mentioned.</summary>
    public long Mentions(int unit) => _units[unit].Mentions;

    /// <summary>The unit that it is, when it was merged.</summary>
    public int Find(int unit)
    {
        while (_units[unit].Same is > 0 and var same)
        {
            unit = same - 1;
        }

        return unit;
    }

    /// <summary>Notes a day of which something is said about the unit; negative for none.</summary>
    public void See(int unit, int day) => _units[unit].LastDay = Math.Max(_units[unit].LastDay, day + 1);

    /// <summary>The last such day; -1 without any.</summary>
    public int LastDay(int unit) => _units[unit].LastDay - 1;

    /// <summary>Notes when a visit was, and whose.</summary>
    public void Set(int visit, int day, int person) => (_units[visit].OwnDay, _units[visit].Person) = (day + 1, person + 1);

    /// <summary>The day of a visit; -1 without one.</summary>
    public int OwnDay(int visit) => _units[visit].OwnDay - 1;

    /// <summary>The person of a visit; -1 without one.</summary>
    public int Person(int visit) => _units[visit].Person - 1;

    /// <summary>The units that exist, by ordinal id: rows do not depend on the order of files.</summary>
    public int[] Defined()
    {
        int[] defined = [.. Enumerable.Range(0, Count).Where(IsDefined)];
        string[] ids = [.. defined.Select(Id)];
        Array.Sort(ids, defined, StringComparer.Ordinal);
        return defined;
    }

    private int At(string id, in Place place)
    {
        if (_index.TryGetValue(id, out int index))
        {
            return Find(index);
        }

        _index.Add(id, index = Count++);
        _units[index] = new Unit { Id = id, First = place };
        return index;
    }

    // Zero is "none" for days, persons and merges, so that a page needs no filling.
    private struct Unit
    {
        public string Id;
        public Place First;
        public long Mentions;
        public int Same;
        public int LastDay;
        public int OwnDay;
        public int Person;
        public bool Defined;
    }
}
