namespace EmrMarket.Analytics.Estimation.Tallies;

/// <summary>What every sufficient statistic counts of its batches: the records, and how they cluster by person.</summary>
public abstract class ClusteredTally
{
    private protected ClusteredTally()
    {
    }

    /// <summary>Number of records n.</summary>
    public long Records { get; private set; }

    /// <summary>Number of persons.</summary>
    public long Persons { get; private set; }

    /// <summary>The sum over persons of the squared number of their records; n when every record is a person.</summary>
    public long SumSquaredSizes { get; private set; }

    /// <summary>The most records of one person.</summary>
    public int MaxSize { get; private set; }

    private protected void Count(int records, PersonClusters persons)
    {
        Records += records;
        Persons += persons.Persons;
        SumSquaredSizes += persons.SumSquaredSizes;
        MaxSize = Math.Max(MaxSize, persons.MaxSize);
    }

    /// <summary>Adds what another tally counted, of other persons.</summary>
    private protected void Count(ClusteredTally other)
    {
        Records += other.Records;
        Persons += other.Persons;
        SumSquaredSizes += other.SumSquaredSizes;
        MaxSize = Math.Max(MaxSize, other.MaxSize);
    }
}
