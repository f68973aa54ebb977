using System.Globalization;
using EmrMarket.Grains.Market.Rounds;
using EmrMarket.Grains.Site;

namespace EmrMarket.Simulation.Market;

/// <summary>Processes that lose their stores to another one of their role: they go on for a while with what they know, are asked and
/// commanded, and end.</summary>
internal sealed partial class MarketSimulation
{
    private const int Market = -1;
    private const int StepsBetweenTakeovers = 20;
    private const int StepsOfAFormer = 100;

    private readonly List<(SimulatedProcess Process, int Site, string Name)> _formers = [];
    private int _takeovers;

    private SimulatedProcess MarketProcess(string name, Disk disk) => new(
        Points(name), _chain, MarketWorld.Deployment, MarketWorld.Market, disk, Confirmations, _clock, _logs, ConfigureMarket,
        typeof(MarketGrain).Assembly);

    private SimulatedProcess SiteProcess(string name, int site, Disk disk) => new(
        Points(name), _chain, MarketWorld.Deployment, MarketWorld.SiteAccounts[site], disk, Confirmations, _clock, _logs,
        (services, process) => ConfigureSite(services, process, site), typeof(SiteGrain).Assembly);

    private Disk NewDisk() => new()
    {
        Holder = new Holder
        {
            IsFenced = !_scenario.HasTwin && _scenario.Plant != MarketPlant.FenceOff,
            Holds = _scenario.Plant switch
            {
                MarketPlant.HoldsOff => HoldKind.Nothing,
                MarketPlant.HoldsBrief => HoldKind.ForAMoment,
                _ => HoldKind.UntilReleased,
            },
        },
    };

    /// <summary>Lets a process lose its stores now and then, and ends the one or other that did.</summary>
    private void TakeOver()
    {
        if (_formers.Count > 0 && _random.Next(StepsOfAFormer) == 0)
        {
            EndFormer(_random.Next(_formers.Count));
        }

        if (_scenario.WithdrawMoment is null && _random.Next(StepsBetweenTakeovers) == 0)
        {
            TakeOver(_random.Next(Market, MarketWorld.Sites));
        }
    }

    private void TakeOver(int place)
    {
        SimulatedProcess former = place == Market ? _market : _sites[place].Process;
        if (former.Points.IsDead || former.Disk.Holder.IsHeld)
        {
            return;
        }

        string name = string.Create(CultureInfo.InvariantCulture, $" before takeover {++_takeovers}");
        _journal.Add($"{(place == Market ? "the market" : "site " + place)}{name}");
        _formers.Add((former, place, name));
        string points = string.Create(CultureInfo.InvariantCulture, $"{(place == Market ? "market" : $"site{place + 1}")} {_takeovers}/");
        SimulatedProcess next = place == Market ? MarketProcess(points, former.Disk) : SiteProcess(points, place, former.Disk);
        next.Open(_random.Next());
        if (place == Market)
        {
            _market = next;
        }
        else
        {
            _sites[place] = (next, place);
        }
    }

    /// <summary>The process that a patient reaches: the newest, or one that does not know yet. (One that no fence keeps from answering
    /// would refuse commands before it did worse.)</summary>
    private SimulatedProcess Commanded(int site)
    {
        SimulatedProcess[] formers = _scenario.Plant is MarketPlant.FenceOff or MarketPlant.HoldsOff ? []
            : [.. _formers.Where(former => former.Site == site).Select(former => former.Process)];
        return formers.Length > 0 && _random.Next(3) == 0 ? formers[_random.Next(formers.Length)]
            : _sites.Last(s => s.Site == site).Process;
    }

    private void EndFormers()
    {
        while (_formers.Count > 0)
        {
            EndFormer(0);
        }
    }

    private void EndFormersThatDied()
    {
        while (_formers.FindIndex(former => former.Process.Points.IsDead) is >= 0 and var index)
        {
            EndFormer(index);
        }
    }

    private void EndFormer(int index)
    {
        (SimulatedProcess process, _, string name) = _formers[index];
        _formers.RemoveAt(index);
        process.Points.Kill();
        process.Dispose();
        _running.Clear();
        foreach (string worker in _answers.Keys.Where(worker => worker.EndsWith(name, StringComparison.Ordinal)).ToArray())
        {
            _answers.Remove(worker);
        }
    }
}
